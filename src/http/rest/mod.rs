//! The REST workers: tiny_http behind the door, a few threads that handle requests, and the replies.
//! Only this file names tiny_http.

mod activity;
mod data;
mod docs;
mod health;
mod live;
mod standing;
mod streams;
mod token;

use std::io::{self, Cursor};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use log::{debug, error};
use tiny_http::{Header, Request, Response, Server, StatusCode};

use crate::limits::Reservation;
use crate::net::wait::join_by;
use crate::request::call::Call;
use crate::state::context::Context;
use crate::store::Session;
use crate::words::error::Error;
use crate::words::http::{Head, NOSNIFF, Reply, SERVER};
use crate::words::log_line;

/// How long Redis may take over one command of a REST request. A slow disk can make it wait for seconds.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// The running workers.
pub struct Rest {
    server: Arc<Server>,
    workers: Vec<JoinHandle<()>>,
}

impl Rest {
    /// Serves what the door hands over at the context's private socket.
    pub fn start(context: &Arc<Context>) -> Result<Rest, String> {
        let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
        let listener = UnixListener::bind(&context.rest_socket)
            .map_err(|error| failed("cannot open the private REST socket", &error))?;
        let server =
            Server::from_listener(listener, None).map_err(|error| failed("cannot start the REST server", &error))?;
        let mut rest = Rest {
            server: Arc::new(server),
            workers: Vec::new(),
        };
        for number in 0..context.config.rest_workers {
            let (server, context) = (rest.server.clone(), context.clone());
            let worker = Builder::new()
                .name(format!("rest-{number}"))
                .spawn(move || work(&server, &context));
            rest.workers
                .push(worker.map_err(|error| failed("cannot start a REST worker", &error))?);
        }
        Ok(rest)
    }
}

impl Rest {
    /// Ends the workers once they have answered what they are at.
    pub fn stop_by(self, deadline: Instant) {
        // Each call wakes one worker, which then leaves.
        self.workers.iter().for_each(|_| self.server.unblock());
        self.workers.into_iter().for_each(|worker| join_by(worker, deadline));
    }
}

fn work(server: &Server, context: &Arc<Context>) {
    let mut session = context.store.session(REPLY_TIMEOUT).failing_fast();
    while let Ok(mut request) = server.recv() {
        let mut held = context.bodies.reserve_nothing();
        let handled = catch_unwind(AssertUnwindSafe(|| {
            handle(&mut request, context, &mut session, &mut held)
        }));
        let reply = handled.unwrap_or_else(|_| {
            context.metrics.handler_panics.add(1);
            error!("the handler of {} panicked", log_line::field(request.method().as_str()));
            // The panic may have struck in the middle of a conversation with Redis.
            session = context.store.session(REPLY_TIMEOUT).failing_fast();
            Error::refused(500, "The server failed on this request; its log says more.").to_reply()
        });
        if let Err(error) = respond(request, reply) {
            debug!("a reply found nobody: {error}");
        }
    }
}

fn handle(request: &mut Request, context: &Arc<Context>, session: &mut Session, held: &mut Reservation) -> Reply {
    let mut body = Vec::new();
    if let Err(error) = body.try_reserve_exact(request.body_length().unwrap_or(0)) {
        // tiny_http would take as much memory to read past a body that was not read.
        let _ = io::copy(request.as_reader(), &mut io::sink());
        return Error::Busy(format!("There is no memory for the body of this request: {error}.")).to_reply();
    }
    // The door sends whole bodies only, and the rest of an unread one would be read as a request.
    if let Err(error) = request.as_reader().read_to_end(&mut body) {
        return Error::refused(400, format!("The body could not be read: {error}.")).to_reply();
    }
    let head = head_of(request);
    // The typed call cannot cross the socket between door and worker, so it is made once more.
    Call::from_head(&head, &context.auth, context.config.max_len)
        .and_then(|call| answer(call, &head, body.into(), context, session, held))
        .unwrap_or_else(|error| error.to_reply())
}

fn answer(
    call: Call,
    head: &Head,
    body: Bytes,
    context: &Context,
    session: &mut Session,
    held: &mut Reservation,
) -> Result<Reply, Error> {
    match call {
        Call::Token => token::sign_in(&context.auth, head, body),
        Call::Docs => Ok(docs::index(head)),
        Call::DocsAsset { name } => docs::asset(&name, head),
        Call::Redoc => Ok(docs::redoc(head)),
        Call::OpenApi => Ok(docs::openapi(head)),
        Call::AsyncApi => Ok(docs::asyncapi(head)),
        Call::LivePage => Ok(live::page()),
        Call::SignOut => Ok(token::sign_out(head)),
        Call::Activity { user } => activity::get(session, context, &user),
        Call::ListStreams => streams::list(session),
        Call::GetStream { stream, report_error } => streams::get(session, &stream, report_error),
        Call::PutStream(put) => changed(context, streams::put(session, &put.with_body(&body)?)),
        Call::DeleteStream { stream, force } => changed(context, streams::delete(session, &stream, force)),
        Call::GetData(call) => data::get(session, context, head, &call, held),
        Call::PostData { stream } => data::post(session, context, &stream, head, body),
        // The door answers these itself, but for the probe with which it opens a line to a worker.
        other => at_once(&other, head, context)
            .unwrap_or_else(|| Err(Error::refused(500, "What stays open is not served here."))),
    }
}

/// A reply after which there may be another stream, or one less, whatever it says: who reads it and asks again is to see that.
fn changed(context: &Context, reply: Result<Reply, Error>) -> Result<Reply, Error> {
    context.activity.changes.add(1);
    reply
}

/// The answer to what the door answers itself: what tells how the program is, because nobody is to wait for that behind requests
/// that wait for Redis, and what needs nothing. None for all else.
pub fn at_once(call: &Call, head: &Head, context: &Context) -> Option<Result<Reply, Error>> {
    match call {
        Call::Ping => Some(health::ping(&context.store)),
        Call::Health => Some(Ok(health::health())),
        Call::Metrics => Some(Ok(health::metrics(&context.metrics))),
        Call::Options { methods } => Some(Ok(options(methods.clone(), head, context))),
        _ => None,
    }
}

/// The methods of a path, also for a CORS preflight.
fn options(methods: String, head: &Head, context: &Context) -> Reply {
    let mut headers = context.config.origins.preflight(head, &methods);
    headers.push(("Allow", methods));
    Reply {
        status: 200,
        headers,
        ..Reply::default()
    }
}

fn head_of(request: &Request) -> Head {
    let headers = request.headers().iter();
    let mut head = Head {
        method: request.method().to_string(),
        minor_version: 1,
        headers: headers
            .map(|header| (header.field.to_string(), header.value.to_string()))
            .collect(),
        ..Head::default()
    };
    head.set_resource(request.url());
    head
}

fn respond(request: Request, reply: Reply) -> io::Result<()> {
    let common = [("Server", SERVER), NOSNIFF].into_iter();
    let given = reply.headers.iter().map(|(name, value)| (*name, value.as_str()));
    // A header that tiny_http does not take can only be a fault of ours; the reply is better than none.
    let headers = common
        .chain(given)
        .filter_map(|(name, value)| Header::from_bytes(name, value).ok())
        .collect();
    let length = reply.body.len();
    let response = Response::new(
        StatusCode(reply.status),
        headers,
        Cursor::new(reply.body),
        Some(length),
        None,
    );
    // Never chunked: the door tells bodies apart by their length.
    request.respond(response.with_chunked_threshold(usize::MAX))
}
