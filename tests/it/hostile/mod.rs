//! Clients that mean harm, or are many: whatever they send, nobody else pays for it.

mod announcements;
mod crowds;
mod fuzz;
mod odd_bytes;
mod open_files;
mod requests;
mod slow_clients;
mod smuggling;
