//! What a request asks for, decided from its head alone: path, method, token, parameters, in this order.
//! The door asks before it waits for a body, and a worker asks again when it has the body.

mod pull;
mod push;
mod put_stream;
mod unknown;

use crate::request::auth::Auth;
use crate::request::form::{self, FormKind};
use crate::request::params::Params;
use crate::request::router::{self, Access, Endpoint, Match};
use crate::words::error::Error;
use crate::words::http::Head;
use crate::words::ids::StreamId;

pub use push::Push;
pub use put_stream::PutStream;

pub use pull::{Framing, Pull};

/// A checked request with its typed parameters.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Call {
    Options { methods: String },
    Token,
    Ping,
    Health,
    Metrics,
    Docs,
    DocsAsset { name: String },
    Redoc,
    OpenApi,
    AsyncApi,
    LivePage,
    SignOut,
    Activity { user: String },
    ListStreams,
    GetStream { stream: StreamId, report_error: bool },
    PutStream(PutStream),
    DeleteStream { stream: StreamId, force: bool },
    GetData(Pull),
    PostData { stream: StreamId },
    Push(Push),
    Pull(Pull),
    Follow(Pull, Framing),
}

impl Call {
    /// Decides what a request asks for. `default_max_len` is the server's retention.
    pub fn from_head(head: &Head, auth: &Auth, default_max_len: u64) -> Result<Call, Error> {
        let found = router::find(&head.method, &head.path)?;
        let mut params = Params::new(&head.query);
        let mut asking = String::new();
        if found.route.access == Access::SignedIn {
            let socket = matches!(found.route.endpoint, Endpoint::Push | Endpoint::Pull);
            let changes = socket || !matches!(head.method.as_str(), "GET" | "HEAD");
            let user = auth.user_of(head, params.text("token"), changes);
            asking = user.map_err(|error| unknown::or_token(error, &params))?;
        }
        let route = found.route;
        let mut call = read(found, &mut params, head, default_max_len);
        if let Call::Activity { user } = &mut call {
            *user = asking;
        }
        unknown::refuse(route, &mut params);
        params.finish()?;
        call.check_body(head)?;
        Ok(call)
    }

    /// What the head says of the body, if this call takes one.
    fn check_body(&self, head: &Head) -> Result<(), Error> {
        if matches!(
            self,
            Call::Token | Call::SignOut | Call::PutStream(_) | Call::PostData { .. }
        ) {
            form::check_coding(head)?;
        }
        if matches!(self, Call::Token | Call::PostData { .. }) {
            FormKind::of(head)?;
        }
        Ok(())
    }
}

pub(crate) fn read(found: Match, params: &mut Params, head: &Head, default_max_len: u64) -> Call {
    let stream = found.segment;
    match found.route.endpoint {
        Endpoint::Options => Call::Options { methods: found.methods },
        Endpoint::Token => Call::Token,
        Endpoint::Ping => Call::Ping,
        Endpoint::Health => Call::Health,
        Endpoint::Metrics => Call::Metrics,
        Endpoint::Docs => Call::Docs,
        Endpoint::DocsAsset => Call::DocsAsset {
            name: stream.to_string(),
        },
        Endpoint::Redoc => Call::Redoc,
        Endpoint::OpenApi => Call::OpenApi,
        Endpoint::AsyncApi => Call::AsyncApi,
        Endpoint::LivePage => Call::LivePage,
        Endpoint::SignOut => Call::SignOut,
        // Who asks is told by the token alone.
        Endpoint::Activity => Call::Activity { user: String::new() },
        Endpoint::ListStreams => Call::ListStreams,
        Endpoint::GetStream => Call::GetStream {
            stream: params.stream(stream),
            report_error: params.boolean("report_error", false),
        },
        Endpoint::PutStream => Call::PutStream(PutStream::read(stream, found.dialect, params, default_max_len)),
        Endpoint::DeleteStream => Call::DeleteStream {
            stream: params.stream(stream),
            force: params.boolean("force", false),
        },
        Endpoint::GetData => match Pull::get(stream, params, head, found.dialect) {
            (pull, None) => Call::GetData(pull),
            (pull, Some(framing)) => Call::Follow(pull, framing),
        },
        Endpoint::Mjpeg => Call::Follow(Pull::mjpeg(stream, params), Framing::Mjpeg),
        Endpoint::PostData => Call::PostData {
            stream: params.stream(stream),
        },
        Endpoint::Push => Call::Push(Push::read(stream, found.dialect, params)),
        Endpoint::Pull => Call::Pull(Pull::socket(stream, params, found.dialect)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn call(method: &str, target: &str) -> Result<Call, Error> {
        let auth = Auth::development(Duration::from_secs(60));
        let mut head = Head {
            method: method.into(),
            ..Head::default()
        };
        head.set_resource(target);
        Call::from_head(&head, &auth, 1000)
    }

    #[test]
    fn path_method_token_and_parameters_are_checked_in_this_order() {
        assert_eq!(call("PATCH", "/nowhere?count=x"), Err(Error::NotFound));
        assert!(matches!(
            call("PATCH", "/data/a?count=x"),
            Err(Error::MethodNotAllowed(_))
        ));
        assert_eq!(call("GET", "/data/a?count=x"), Err(Error::NotAuthenticated));
        assert_eq!(call("GET", "/data/a?count=x&token=bad"), Err(Error::BadToken));
    }

    #[test]
    fn options_need_no_token_but_a_path() {
        assert!(matches!(call("OPTIONS", "/data/a"), Ok(Call::Options { .. })));
        assert_eq!(call("OPTIONS", "/nowhere"), Err(Error::NotFound));
    }
}
