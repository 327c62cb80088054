//! The figures, as a table for people or as JSON for programs.

use serde_json::{Value, json};

use super::operations::{CPU, Figure, Operation};
use super::statistics::median;

/// One figure of one operation: a value of each round and side.
pub struct Row {
    operation: &'static str,
    bytes: Option<usize>,
    figure: Figure,
    store: Vec<f64>,
    direct: Vec<f64>,
}

/// The values of one round: on each side one for each figure.
pub struct Round {
    pub store: Vec<f64>,
    pub direct: Vec<f64>,
    /// Processor time of the store for each entry or request, in microseconds, if its process is known.
    pub cpu: Option<f64>,
}

impl Row {
    /// The rows of an operation.
    pub fn of(operation: &Operation, rounds: &[Round]) -> Vec<Row> {
        let row = |(index, figure): (usize, &Figure)| Row {
            operation: operation.name,
            bytes: operation.bytes,
            figure: *figure,
            store: rounds.iter().map(|round| round.store[index]).collect(),
            direct: rounds.iter().map(|round| round.direct[index]).collect(),
        };
        let mut rows: Vec<Row> = operation.figures.iter().enumerate().map(row).collect();
        let cpu: Vec<f64> = rounds.iter().filter_map(|round| round.cpu).collect();
        if !cpu.is_empty() {
            rows.push(Row {
                operation: operation.name,
                bytes: operation.bytes,
                figure: CPU,
                store: cpu,
                direct: Vec::new(),
            });
        }
        rows
    }

    /// The rows of what only the store has values of.
    pub fn of_store(operation: &'static str, figures: &[Figure], values: &[f64]) -> Vec<Row> {
        let row = |(figure, value): (&Figure, &f64)| Row {
            operation,
            bytes: None,
            figure: *figure,
            store: vec![*value],
            direct: Vec::new(),
        };
        figures.iter().zip(values).map(row).collect()
    }

    /// The head of the table.
    pub fn heading() -> String {
        columns(
            "operation",
            "entry",
            "figure",
            "through the store",
            "straight to Redis",
            "ratio (min to max)",
        )
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
        let bytes = self.bytes.map_or("-".to_string(), size);
        columns(
            self.operation,
            &bytes,
            self.figure.name,
            &side(&self.store),
            &side(&self.direct),
            &ratio,
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

    /// The ratio of each round, of two measurements that followed each other; none if Redis alone has a 0 somewhere.
    fn ratios(&self) -> Vec<f64> {
        let pairs = self.store.iter().zip(&self.direct);
        let ratios: Option<Vec<f64>> = pairs
            .map(|(store, direct)| Some(store / direct).filter(|ratio| ratio.is_finite()))
            .collect();
        ratios.unwrap_or_default()
    }
}

fn columns(operation: &str, bytes: &str, figure: &str, store: &str, direct: &str, ratio: &str) -> String {
    format!("{operation:34} {bytes:>7}  {figure:16} {store:>18} {direct:>18} {ratio:>23}")
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
