//! What the store shows to people: its documents, the page that shows them, and what pages may do.

pub mod asyncapi;
pub mod csp;
pub mod openapi;
pub mod swagger;
