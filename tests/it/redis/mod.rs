//! Redis fails, is another kind of server, or is one that the store starts itself (docs/protocol.md, sections 1 and 7).

mod by_hand;
mod claimed;
mod crashes;
mod dumps;
mod faults;
mod faults_living;
mod faults_network;
mod faults_outages;
mod faults_refusals;
mod kinds;
mod neighbours;
mod ours;
mod outages;
mod port;
mod private;
pub mod shared;
mod switchover;
mod trouble;
mod written;
