//! Entries out of a stream that is full already.

use std::time::Instant;

use super::direct::{Reader, sentence, xadds};
use super::socket::Pull;
use super::{Bench, Side};

/// Entries of one pipeline when the stream is filled.
const TOGETHER: usize = 100;

/// Entries a second from the start of a stream of so many, as often as it takes.
pub fn entries(bench: &Bench, side: Side, bytes: usize, total: usize, count: usize) -> Result<f64, String> {
    let stream = bench.stream("full", 2 * total)?;
    let mut redis = bench.direct.connect()?;
    let filling = xadds(&stream.name, stream.max_len, &vec![b'x'; bytes], TOGETHER);
    for _ in 0..total / TOGETHER {
        filling.exec(&mut redis).map_err(sentence)?;
        bench.check()?;
    }
    let total = total / TOGETHER * TOGETHER;
    let check = |entry: &[u8]| match entry.len() == bytes {
        true => Ok(()),
        false => Err(format!("an entry of {} bytes came instead of {bytes}", entry.len())),
    };
    let begun = Instant::now();
    let mut read = 0;
    match side {
        Side::Store => {
            let query = format!("last_entry_id=0&count={count}");
            while read == 0 || begun.elapsed() < bench.seconds {
                let mut pull = Pull::open(&bench.store, &stream.name, &query)?;
                let mut left = total;
                // Mostly the time is over in the middle of a stream.
                while left > 0 && (begun.elapsed() < bench.seconds || read == 0) {
                    let got = pull.receive(check)?;
                    if got > count.min(left) {
                        return Err(format!(
                            "{got} entries came at once with count={count}, of {left} that were left"
                        ));
                    }
                    left -= got;
                    read += got;
                    bench.check()?;
                }
            }
        }
        Side::Direct => {
            let mut reader = Reader::new(redis, &stream.name, count);
            let mut left = total;
            while read == 0 || begun.elapsed() < bench.seconds {
                if left == 0 {
                    reader.rewind();
                    left = total;
                }
                let got = reader.read(false, check)?;
                if got == 0 {
                    return Err(format!("Redis: the stream ends {left} entries too early"));
                }
                left -= got;
                read += got;
                bench.check()?;
            }
        }
    }
    bench.did(read);
    Ok(read as f64 / begun.elapsed().as_secs_f64())
}

/// The same in megabytes a second.
pub fn megabytes(bench: &Bench, side: Side, bytes: usize, total: usize, count: usize) -> Result<f64, String> {
    Ok(entries(bench, side, bytes, total, count)? * bytes as f64 / 1e6)
}
