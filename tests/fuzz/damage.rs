//! Damage to bytes, whatever they mean.

use super::dice::Dice;

/// Changes a few places in a few ways.
pub fn bytes(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(3) {
        if bytes.is_empty() {
            return;
        }
        let place = dice.below(bytes.len());
        let end = (place + 1 + dice.below(20)).min(bytes.len());
        match dice.below(7) {
            0 => bytes[place] = dice.byte(),
            1 => bytes[place] ^= 1 << dice.below(8),
            2 => drop(bytes.drain(place..end)),
            3 => {
                let twice = bytes[place..end].to_vec();
                bytes.splice(place..place, twice);
            }
            4 => {
                let noise = dice.bytes(20);
                bytes.splice(place..place, noise);
            }
            5 => {
                let odd = dice.pick::<[u8]>(&[
                    b"\0",
                    b"\r\n",
                    b"\n",
                    b"\r",
                    b"\r\n\r\n",
                    b"%",
                    b"\xff",
                    b":",
                    b" ",
                    b",",
                ]);
                bytes.splice(place..place, odd.iter().copied());
            }
            _ => bytes.truncate(place),
        }
    }
}

/// A number of the kind that breaks things.
pub fn number(dice: &mut Dice) -> String {
    let odd = [
        "-1",
        "0",
        "1",
        "00",
        "+1",
        "0x10",
        "1e3",
        "",
        " ",
        "65536",
        "262144",
        "262145",
        "2147483648",
        "4294967296",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1000000000000000",
        "1.5",
        "NaN",
        "٣",
    ];
    match dice.below(3) {
        0 => dice.below(300).to_string(),
        _ => dice.pick(&odd).to_owned(),
    }
}
