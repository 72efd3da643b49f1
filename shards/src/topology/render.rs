//! The plan as a picture for a terminal: plain ASCII within 80 columns, no colour. Prints nothing itself.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use super::{Core, Plan, Topology, cpu_list};

const WIDTH: usize = 80;

/// Draws what each CPU of `topology` does under `plan`, ending in a newline.
///
/// A bracket is a physical core, a cell in it one CPU: its number and `S` for a shard, `P` for a password core, with
/// their indices, or `.` where it is left alone.
pub fn render(topology: &Topology, plan: &Plan) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = draw(&mut text, topology, plan);
    text
}

fn draw(out: &mut String, topology: &Topology, plan: &Plan) -> fmt::Result {
    let ids: Vec<usize> = topology.cores.iter().map(|core| core.id).collect();
    write!(out, "CPUs {} | memory {} | ", cpu_list::format(&ids), size(topology.memory_bytes))?;
    match topology.cpu_quota {
        Some(quota) => writeln!(out, "quota {quota:.2} CPUs")?,
        None => writeln!(out, "no quota")?,
    }

    let mut nodes: BTreeMap<usize, BTreeMap<Option<usize>, Vec<&Core>>> = BTreeMap::new();
    for core in &topology.cores {
        let caches = nodes.entry(core.numa_node).or_default();
        let cache = core.l3.map(|cache| cache.group);
        caches.entry(cache).or_default().push(core);
    }
    let digits = ids.last().map_or(1, |cpu| cpu.to_string().len());
    for (node, caches) in nodes {
        writeln!(out, "\nNUMA node {node}")?;
        for cores in caches.into_values() {
            match cores.first().and_then(|core| core.l3).map(|cache| cache.bytes) {
                Some(Some(bytes)) => writeln!(out, "  L3 cache {}", size(bytes))?,
                Some(None) => writeln!(out, "  L3 cache")?,
                None => writeln!(out, "  no L3 cache known")?,
            }
            draw_cores(out, &cores, plan, digits)?;
        }
    }

    writeln!(
        out,
        "\nS request shard: {}   P password core: {}   . not used: {}",
        plan.shards.len(),
        plan.password_cores.len(),
        topology.cores.iter().filter(|core| role(core.id, plan) == ".").count()
    )?;
    for group in &plan.groups {
        writeln!(out, "P{} hash for S{}", cpu_list::format(&group.password_cores), cpu_list::format(&group.shards))?;
    }
    if !plan.notes.is_empty() {
        writeln!(out)?;
    }
    for note in &plan.notes {
        out.write_str(&item(note))?;
    }
    Ok(())
}

fn draw_cores(out: &mut String, cores: &[&Core], plan: &Plan, digits: usize) -> fmt::Result {
    let mut physical: BTreeMap<usize, Vec<&Core>> = BTreeMap::new();
    for core in cores {
        physical.entry(core.physical_core).or_default().push(core);
    }
    let roles = cores.iter().map(|core| role(core.id, plan).len());
    let role_width = roles.max().unwrap_or(1);
    let mut line = String::from("   ");
    for threads in physical.values() {
        let cells: Vec<String> =
            threads.iter().map(|core| format!("{:>digits$} {:<role_width$}", core.id, role(core.id, plan))).collect();
        let bracket = format!(" [{}]", cells.join(" | "));
        if line.len() + bracket.len() > WIDTH && !line.trim().is_empty() {
            writeln!(out, "{line}")?;
            line.truncate(3);
        }
        line.push_str(&bracket);
    }
    writeln!(out, "{line}")
}

fn role(cpu: usize, plan: &Plan) -> String {
    let shard = plan.shards.iter().find(|shard| shard.cpu == cpu);
    let password = plan.password_cores.iter().find(|core| core.cpu == cpu);
    match (shard, password) {
        (Some(shard), Some(core)) => format!("S{}+P{}", shard.index, core.index),
        (Some(shard), None) => format!("S{}", shard.index),
        (None, Some(core)) => format!("P{}", core.index),
        (None, None) => ".".to_owned(),
    }
}

/// Bytes for people: the largest unit that leaves at least one, GiB with one decimal.
pub fn size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    match bytes {
        GIB.. => format!("{:.1} GiB", bytes as f64 / GIB as f64),
        MIB.. => format!("{} MiB", bytes / MIB),
        _ => format!("{} KiB", bytes / KIB),
    }
}

/// A sentence as an item of a list, broken into lines.
pub fn item(sentence: &str) -> String {
    let mut text = String::new();
    let mut line = String::from("-");
    for word in sentence.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text += &line;
            text.push('\n');
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    text + &line + "\n"
}

#[cfg(test)]
mod tests;
