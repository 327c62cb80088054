//! What a request asks for, and whether it may: from its head and its form alone, before Redis is asked anything. Heads come
//! in, typed requests or refusals go out. REST and WebSocket call the same functions.

pub mod auth;
pub mod authority;
pub mod call;
pub mod csrf;
pub mod form;
pub mod hosts;
pub mod origin;
pub mod params;
pub mod proxied;
pub mod random;
pub mod router;
