//! The checks of the store itself, asked as any client asks it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ptg_store::server::listeners;

use super::clocks::{Asked, Skew};
use super::examination::{Examination, PATIENCE, within};
use super::finding::{Finding, Mend};
use super::machine::is_here;
use super::probe::random_name;
use super::token::{self, Token};
use crate::client::figures::time;
use crate::client::shell::{program, quote};
use crate::client::token::TOKEN_VARIABLE;
use crate::client::{Claims, Failure, Reply, Store, description, login};

/// Where a store listens unless it was told otherwise.
const DEFAULT_HOST: &str = "127.0.0.1:7890";

/// Whether its name has an address, and its port is open.
pub fn address(examination: &Examination) -> Result<Finding, String> {
    let host = examination.store.host().to_string();
    let asked = host.clone();
    let connected = within(PATIENCE, &examination.interrupted, move || connect(&asked));
    let connected = connected.unwrap_or_else(|| Err(format!("does not answer for {PATIENCE:?}")));
    Ok(match connected {
        Ok((address, took)) => {
            let _ = examination.known.address.set(address);
            let named = match address.to_string() {
                same if same == host => host,
                address => format!("{host} ({address})"),
            };
            Finding::ok(format!("{named} is open ({})", time(took)))
        }
        Err(cause) => no_store(&host, &cause),
    })
}

/// Whether what answers is a store, and which.
pub fn store(examination: &Examination) -> Result<Finding, String> {
    let host = examination.store.host();
    if examination.known.address.get().is_none() {
        return Err(format!("nothing listens at {host}"));
    }
    let (before, begun) = (SystemTime::now(), Instant::now());
    let reply = examination.store.ask("GET", "/health", &[], b"");
    let (after, took) = (SystemTime::now(), begun.elapsed());
    let port = host.rsplit(':').next().unwrap_or_default();
    let who = || {
        let find = format!("ss -ltnp 'sport = :{port}'");
        [Mend::new(find).why("which program has the port")]
    };
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure) => return Ok(Finding::wrong(format!("no ptg-store answers: {failure}")).mend_all(who())),
    };
    let Some(version) = version(&reply) else {
        let server = reply.header("Server").unwrap_or("not named");
        return Ok(Finding::wrong(format!(
            "what answers is no ptg-store: GET /health is {}, Server {server}",
            reply.status
        ))
        .mend_all(who()));
    };
    let _ = examination.known.is_store.set(());
    let date = reply.header("Date");
    if let Some(told) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
        let _ = examination.known.skew.set(Skew::of_date(told, Asked { before, after }));
    }
    let proxy = match reply.header("Server") {
        Some(server) if !server.starts_with("ptg-store/") => format!(" behind {server}"),
        _ => String::new(),
    };
    let other = match env!("CARGO_PKG_VERSION") {
        same if same == version => String::new(),
        own => format!(" (this doctor is {own})"),
    };
    let took = time(took);
    Ok(Finding::ok(format!(
        "ptg-store {version}{other}{proxy} answers in {took}"
    )))
}

/// How one signs in, and whether strangers may.
pub fn sign_in(examination: &Examination) -> Result<Finding, String> {
    let store = examination.answering()?;
    // Nobody has this name, so only development mode lets it in.
    let nobody = random_name();
    let development = match store.sign_in(&nobody, &nobody) {
        Ok(token) => Some(token),
        Err(Failure::Refused { status: 401 | 403, .. }) => None,
        Err(failure) => return Err(failure.to_string()),
    };
    let is_development = development.is_some();
    let _ = examination.known.development_token.set(development);
    if !is_development {
        return Ok(Finding::ok("with accounts: a stranger is not let in"));
    }
    let address = examination.known.address.get().ok_or("its address is not known")?;
    let exposed = match address.ip().is_loopback() {
        true => listeners::exposed(address.port()),
        false => Some(true),
    };
    let found = "development mode (any user whose password is the same)";
    Ok(match exposed {
        Some(true) => Finding::warning(format!(
            "{found}, and other machines can reach it: anybody there may read and delete"
        ))
        .mend_for(
            "instead of the store that runs",
            format!("{} --listen 127.0.0.1:{}", program(), address.port()),
        ),
        Some(false) => Finding::ok(format!("{found}, for this machine only")),
        None => Finding::ok(format!("{found}; who can reach it is not to be seen from here")),
    })
}

/// The token that clients on this machine would use.
pub fn token(examination: &Examination) -> Result<Finding, String> {
    examination.answering()?;
    let store = match examination.open(examination.flags.token.as_deref()) {
        Ok(store) => store,
        Err(failure) => return Ok(no_token(examination, &failure)),
    };
    let log_in = store.log_in();
    let Some(found) = store.found_token() else {
        let why = store.token_of_another().unwrap_or("there is none");
        let Some(Some(own)) = examination.known.development_token.get() else {
            return Ok(Finding::wrong(format!("{why}, so nothing can be pushed or pulled")).mend(log_in));
        };
        let store = examination.open(Some(own)).map_err(|failure| failure.to_string())?;
        let _ = examination.known.signed_in.set(store);
        return Ok(Finding::warning(format!("{why}; development mode gave the doctor one")).mend(log_in));
    };
    let accepted = is_accepted(&store).map_err(|failure| failure.to_string())?;
    let judged = token::judge(
        &Token {
            source: &found.source.to_string(),
            claims: Claims::read(&found.text),
            development: ptg_store::request::auth::is_signed_with_published_key(&found.text),
            accepted,
        },
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        &log_in,
    );
    if accepted {
        let _ = examination.known.signed_in.set(store);
    }
    Ok(judged)
}

/// Of a token that cannot even be sent: as long as what it comes from is in the way, signing in does not help.
fn no_token(examination: &Examination, failure: &Failure) -> Finding {
    let finding = Finding::wrong(failure.to_string());
    let log_in = examination.store.log_in();
    let mends = login::mend(&log_in);
    if matches!(failure, Failure::Here(_)) && !mends.is_empty() {
        return finding.mend_all(mends.into_iter().map(Mend::new));
    }
    match failure.to_string().contains(TOKEN_VARIABLE) {
        true => finding.mend(format!("unset {TOKEN_VARIABLE}; {log_in}")),
        false => finding.mend(log_in),
    }
}

/// Whether the store's Redis answers it.
pub fn ping(examination: &Examination) -> Result<Finding, String> {
    let store = examination.answering()?;
    let begun = Instant::now();
    let answer = store.get("/ping");
    let took = begun.elapsed();
    let _ = examination.known.ping.set(answer.is_ok());
    Ok(match answer {
        Ok(_) => Finding::ok(format!("answers the store ({} for a ping through it)", time(took))),
        Err(failure) => {
            Finding::wrong(format!("the store says: {failure}")).mend(examination.redis.cli.command("ping"))
        }
    })
}

/// What all streams will take, beside the memory that Redis has.
pub fn streams_memory(examination: &Examination) -> Result<Finding, String> {
    let activity = examination.activity()?;
    let info = examination.info().ok();
    let limit = info.and_then(|info| {
        info.number("maxmemory")
            .filter(|limit| *limit > 0)
            .or(info.number("total_system_memory"))
    });
    let mut memory = activity.memory(limit);
    for (stream, max_len) in &memory.shorten {
        let command = description::command(&examination.store, stream, *max_len);
        memory.finding = memory.finding.mend(command);
    }
    Ok(memory.finding)
}

/// Whether entries are odd: very large, or from the future.
pub fn entries(examination: &Examination) -> Result<Finding, String> {
    Ok(examination.activity()?.entries())
}

fn connect(host: &str) -> Result<(SocketAddr, Duration), String> {
    let addresses = host
        .to_socket_addrs()
        .map_err(|error| format!("has no address: {error}"))?;
    let mut cause = "has no address".to_string();
    for address in addresses {
        let begun = Instant::now();
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok((address, begun.elapsed())),
            Err(error) => cause = format!("cannot be reached: {error}"),
        }
    }
    Err(cause)
}

/// How to start one where there is none.
fn no_store(host: &str, cause: &str) -> Finding {
    let finding = Finding::wrong(format!("{host} {cause}"));
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address: Option<IpAddr> = match name {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        name => name.trim_matches(['[', ']']).parse().ok(),
    };
    let listen = format!("{} --listen {}", program(), quote(host));
    match address.filter(|address| is_here(*address)) {
        Some(_) if host == DEFAULT_HOST => finding.mend(program()),
        Some(address) if address.is_loopback() => finding.mend(listen),
        Some(_) => finding.mend_for("if the network is yours", format!("{listen} --insecure-dev-auth")),
        None => finding.mend_for(
            "is it there, and does ptg-store run on it?",
            format!("curl -m 5 {}", quote(&format!("http://{host}/health"))),
        ),
    }
}

/// Of a store, as `/health` tells it.
fn version(health: &Reply) -> Option<String> {
    let body = health.json().ok()?;
    let is_store = body["status"] == "ok";
    body["version"].as_str().filter(|_| is_store).map(str::to_owned)
}

/// Whether a store takes its token: that comes before the parameters, and these come before anything is done.
fn is_accepted(store: &Store) -> Result<bool, Failure> {
    let reply = store.ask("GET", "/data/doctor?count=0", &[], b"")?;
    match reply.status {
        422 => Ok(true),
        401 | 403 => Ok(false),
        status => Err(Failure::refused(status, &reply.body)),
    }
}
