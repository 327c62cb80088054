//! The figures, as a table for people or as JSON for programs.

use serde_json::{Value, json};

use super::operations::{Figure, Operation};
use super::statistics::median;

/// One figure of one operation: a value of each round and side.
pub struct Row {
    operation: &'static str,
    bytes: Option<usize>,
    figure: Figure,
    store: Vec<f64>,
    direct: Vec<f64>,
}

/// The heading of the table.
pub const HEADING: &str = "operation                              entry  figure                    through the store    straight to Redis   ratio (min to max)";

impl Row {
    /// The rows of an operation, from each round's values of the store and of Redis.
    pub fn of(operation: &Operation, rounds: &[(Vec<f64>, Vec<f64>)]) -> Vec<Row> {
        let row = |(index, figure): (usize, &Figure)| Row {
            operation: operation.name,
            bytes: operation.bytes,
            figure: *figure,
            store: rounds.iter().map(|(store, _)| store[index]).collect(),
            direct: rounds.iter().map(|(_, direct)| direct[index]).collect(),
        };
        operation.figures.iter().enumerate().map(row).collect()
    }

    /// What only the store has a value of.
    pub fn of_store(operation: &'static str, figure: Figure, value: f64) -> Row {
        Row {
            operation,
            bytes: None,
            figure,
            store: vec![value],
            direct: Vec::new(),
        }
    }

    /// One line of the table.
    pub fn line(&self) -> String {
        let side = |values: &[f64]| match values {
            [] => "-".to_string(),
            values => format!("{} {}", number(median(values)), self.figure.unit),
        };
        let ratios = self.ratios();
        let ratio = match ratios.as_slice() {
            [] => "-".to_string(),
            ratios => {
                let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
                let most = ratios.iter().copied().fold(0.0, f64::max);
                format!("{:6.2} ({least:.2} to {most:.2})", median(ratios))
            }
        };
        format!(
            "{:36} {:>7}  {:16} {:>26} {:>20} {:>20}",
            self.operation,
            self.bytes.map_or("-".to_string(), size),
            self.figure.name,
            side(&self.store),
            side(&self.direct),
            ratio
        )
    }

    /// The same with the values of every round.
    pub fn json(&self) -> Value {
        let ratios = self.ratios();
        json!({
            "operation": self.operation,
            "entry_bytes": self.bytes,
            "figure": self.figure.name,
            "unit": self.figure.unit,
            "store": self.store,
            "direct": self.direct,
            "store_median": median(&self.store),
            "direct_median": median(&self.direct),
            "ratios": ratios,
            "ratio_median": median(&ratios),
        })
    }

    /// The ratio of each round, of two measurements that followed each other. What is 0 on a side has none.
    fn ratios(&self) -> Vec<f64> {
        let pairs = self.store.iter().zip(&self.direct);
        pairs
            .map(|(store, direct)| store / direct)
            .filter(|ratio| ratio.is_normal())
            .collect()
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        1_000_000.. => format!("{} MB", bytes / 1_000_000),
        1_000.. => format!("{} kB", bytes / 1_000),
        _ => format!("{bytes} B"),
    }
}

/// Three digits that count, more if it is larger.
fn number(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
