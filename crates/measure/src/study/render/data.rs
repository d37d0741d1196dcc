//! CSV and JSON: numbers in full, nothing rounded.

use csv::{Terminator, WriterBuilder};

use crate::study::table::Table;

/// One line per group.
pub(in crate::study) fn csv(table: &Table) -> String {
    let mut header = table.axes.clone();
    header.extend(["finished", "failed", "pending"].map(str::to_owned));
    for metric in &table.metrics {
        header.extend(["n", "mean", "sd", "min", "max"].map(|part| format!("{}_{part}", metric.name)));
    }
    let mut records = vec![header];
    for row in &table.rows {
        let mut record = row.coordinates.clone();
        record.extend([row.finished, row.failed, row.pending].map(|count| count.to_string()));
        for column in &row.columns {
            record.extend(match &column.summary {
                None => ["0", "", "", "", ""].map(str::to_owned),
                Some(s) => [
                    s.n.to_string(),
                    s.mean.to_string(),
                    s.deviation.map_or_else(String::new, |d| d.to_string()),
                    s.min.to_string(),
                    s.max.to_string(),
                ],
            });
        }
        records.push(record);
    }
    write(&records)
}

/// One line per run.
pub(in crate::study) fn runs_csv(table: &Table) -> String {
    let mut header = table.axes.clone();
    header.extend(["seed", "run", "status"].map(str::to_owned));
    header.extend(table.metrics.iter().map(|metric| metric.name.clone()));
    header.push("problem".to_owned());
    let mut records = vec![header];
    for row in &table.rows {
        for run in &row.runs {
            let mut record = row.coordinates.clone();
            record.push(run.seed.map_or_else(String::new, |seed| seed.to_string()));
            record.extend([run.run.clone(), run.status.to_owned()]);
            record.extend(run.values.iter().map(|v| v.map_or_else(String::new, |v| v.to_string())));
            record.push(run.problems.join("; "));
            records.push(record);
        }
    }
    write(&records)
}

/// Everything the table holds.
pub(in crate::study) fn json(table: &Table) -> String {
    // A table is lists, text and finite numbers: nothing in it can fail to be JSON.
    serde_json::to_string_pretty(table).unwrap_or_default() + "\n"
}

fn write(records: &[Vec<String>]) -> String {
    let mut writer = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(Vec::new());
    for record in records {
        // Records have equal lengths and the sink is memory: there is nothing to report.
        let _ = writer.write_record(record);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
