//! Whether the Redis that was named is the one behind the store.

use ptg_store::words::ids::EntryId;

use super::Bench;
use super::direct::{Reader, sentence, xadd};
use super::socket::{Pull, Push, binary_frame};
use super::streams::Stream;

impl Bench {
    /// What goes in on one side must come out on the other.
    pub fn check_that_both_are_one(&self) -> Result<(), String> {
        let stream = self.stream("same", 10)?;
        let checked = self.check_both_with(&stream);
        if checked.is_err() {
            // What we put into the store's Redis is not in the one that the stream is removed from.
            let _ = self
                .store
                .ask("DELETE", &format!("/streams/{}?force=true", stream.name), "", "");
        }
        checked
    }

    fn check_both_with(&self, stream: &Stream) -> Result<(), String> {
        let mut redis = self.direct.connect()?;
        let other = "the store and --redis are not the same: what is pushed through one is not in the other";
        let is = |expected: &'static [u8]| {
            move |entry: &[u8]| match entry == expected {
                true => Ok(()),
                false => Err(other.to_string()),
            }
        };
        let mut push = Push::open(&self.store, &stream.name, "ack=true")?;
        let mut frame = Vec::new();
        binary_frame(&mut frame, b"through the store");
        push.send(&frame)?;
        push.acknowledged(&mut EntryId::default())?;
        if Reader::new(self.direct.connect()?, &stream.name, 1).read(false, is(b"through the store"))? != 1 {
            return Err(other.into());
        }
        xadd(&stream.name, stream.max_len, b"straight")
            .exec(&mut redis)
            .map_err(sentence)?;
        let mut pull = Pull::open(&self.store, &stream.name, "last_entry_id=0")?;
        pull.receive(is(b"through the store"))?;
        pull.receive(is(b"straight"))?;
        Ok(())
    }
}
