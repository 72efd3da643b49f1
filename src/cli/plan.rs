//! `jeday plan`: its arguments.

const AFTER_HELP: &str = "\
Examples:
  jeday plan                                 Which core does what on this machine
  jeday plan --set cores.password_cores=2    What it would be with two cores for passwords
  jeday plan --set cores.cpus=0-7            What it would be on the first eight CPUs";

/// Show how the machine's cores are divided between requests and passwords
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}
