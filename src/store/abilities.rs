//! What the Redis of a connection is, and what it lets us do. `introduction` learns it, once for each connection; whoever needs a
//! transaction or a script asks here first.

use crate::words::error::StoreError;

/// What the Redis of a connection is, and what it lets us do.
#[derive(Debug, Clone, Default)]
pub struct Abilities {
    /// Whether it is in cluster mode, where one command has keys of one slot only.
    pub is_cluster: bool,
    /// Why there are no transactions, and no scripts; none if there are.
    pub(super) transactions: Option<String>,
    pub(super) scripts: Option<String>,
}

impl Abilities {
    /// Refuses where `MULTI` and `EXEC` are not to be had: the commands in between would each be done at once.
    pub fn check_transactions(&self) -> Result<(), StoreError> {
        refuse(&self.transactions)
    }

    /// Refuses where `EVAL` is not to be had.
    pub fn check_scripts(&self) -> Result<(), StoreError> {
        refuse(&self.scripts)
    }

    /// What an operator should know of this Redis: sentences for the log.
    pub fn shortcomings(&self) -> Vec<String> {
        let lacks = [&self.transactions, &self.scripts].into_iter().flatten().cloned();
        let cluster = "it is in cluster mode: one node with all slots serves, but not pulls and batches of several streams \
                       whose keys are in different slots; streams on other nodes are out of reach";
        let cluster = self.is_cluster.then(|| cluster.to_string());
        lacks.chain(cluster).collect()
    }
}

fn refuse(lack: &Option<String>) -> Result<(), StoreError> {
    lack.as_ref()
        .map_or(Ok(()), |lack| Err(StoreError::Refused(lack.clone())))
}
