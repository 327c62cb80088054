//! What browsers see, and which web pages may ask.

mod activity;
mod behind_proxy;
mod foreign_hosts;
mod links;
mod live_page;
mod origins;
mod origins_allowed;
mod portal;
mod portal_filled_in;
