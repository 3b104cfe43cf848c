//! The command line.
//!
//! `lockstep` alone is `lockstep run`. Words that people know from other test tools mean what they mean there.

use crate::plan::Extent;
use bench::rig::{HandsetFace, LabKind};
use clap::{Args, Parser, Subcommand, ValueEnum};
use cucumber::gherkin::tagexpr::TagOperation;
use evidence::capture::Base;
use evidence::monitor::Limits;
use regex::Regex;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Conformance tests for feature key synchronisation on DECT base stations.
///
/// Exit codes: 0 all pass, 1 a base is wrong, 2 usage or configuration, 3 the rig could not work, 4 inconclusive,
/// incomplete, or nothing executed for a rig, dialect or face that was selected.
#[derive(Debug, Parser)]
#[command(name = "lockstep", version, propagate_version = true)]
pub struct Cli {
    /// What to do; `run` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the features on the rigs named (default: every emulated rig).
    Run(RunArgs),
    /// Show what would run, without touching anything.
    List(ListArgs),
    /// Write the reports of a run again, from its evidence: also of a run that was killed.
    Report(ReportArgs),
    /// Judge a base by a capture or an evidence log that others have made: pcap, pcapng, or JSON lines.
    Check(CheckArgs),
    /// Run mutants of the emulated bases, and compare what each breaks with what it must and may break.
    Calibrate(CalibrateArgs),
    /// An emulated base on its own, on real sockets, configured by a provisioning file.
    Base(BaseArgs),
    /// The mock application server on its own, on real sockets, with a control API.
    Server(ServerArgs),
}

/// Which laboratory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LabArg {
    /// In memory, on lab time.
    Virtual,
    /// Real sockets and serial lines, on wall time.
    Wire,
    /// All scenarios in the virtual laboratory, and the @wire ones in the wire laboratory.
    #[default]
    Both,
}

impl LabArg {
    /// The laboratories that it means.
    #[must_use]
    pub fn kinds(self) -> Vec<LabKind> {
        match self {
            Self::Virtual => vec![LabKind::Virtual],
            Self::Wire => vec![LabKind::Wire],
            Self::Both => vec![LabKind::Virtual, LabKind::Wire],
        }
    }
}

/// How many of the possible cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanArg {
    /// Each scenario once, and once more with each other dialect, on each other device, and by each other face; in the wire
    /// laboratory each @wire scenario once, and one for each other dialect, device and face.
    #[default]
    Cover,
    /// The product of scenarios, rigs, faces, dialects and laboratories.
    Full,
}

impl PlanArg {
    /// What it means to the plan.
    #[must_use]
    pub const fn extent(self) -> Extent {
        match self {
            Self::Cover => Extent::Cover,
            Self::Full => Extent::Full,
        }
    }
}

impl fmt::Display for PlanArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cover => "cover",
            Self::Full => "full",
        })
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How to print a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// One line a case, then the counts.
    #[default]
    Text,
    /// One JSON object: counts, cases, and what does not apply.
    Json,
}

/// What to select.
#[derive(Clone, Debug, Default, Args)]
pub struct SelectArgs {
    /// Rig files, or names of rig files under `rigs/`. Default: every `rigs/emulated-*.toml`.
    #[arg(value_name = "RIG")]
    pub rigs: Vec<String>,
    /// Which laboratory.
    #[arg(long, value_enum, default_value_t)]
    pub lab: LabArg,
    /// How many of the possible cases.
    #[arg(long, value_enum, default_value_t)]
    pub plan: PlanArg,
    /// Only servers of this dialect; may be repeated. Default: all that the rigs can meet.
    #[arg(long = "dialect", value_name = "NAME")]
    pub dialects: Vec<String>,
    /// Only handsets worked by this face, `console` or `web`; may be repeated. Default: all that the rigs have.
    #[arg(long = "face", value_name = "FACE", value_parser = face)]
    pub faces: Vec<HandsetFace>,
    /// Only scenarios whose tags satisfy this expression, such as `@wire and not @REQ-NOT-04`.
    #[arg(long, value_name = "EXPR")]
    pub tags: Option<TagOperation>,
    /// Only scenarios whose name or identifier matches this regular expression.
    #[arg(long, value_name = "REGEX")]
    pub name: Option<Regex>,
    /// The folder of feature files, or one file.
    #[arg(long, value_name = "PATH", default_value = "features")]
    pub features: PathBuf,
}

fn face(word: &str) -> Result<HandsetFace, String> {
    let known = HandsetFace::ALL.map(HandsetFace::as_str).join(" and ");
    HandsetFace::from_word(word).ok_or_else(|| format!("there are {known}"))
}

/// Options of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// What to select.
    #[command(flatten)]
    pub select: SelectArgs,
    /// The run's seed; the same seed gives the same evidence in the virtual laboratory.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where to write the run. Default: a new folder under `reports/out`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Start nothing new after the first case that does not pass.
    #[arg(long)]
    pub fail_fast: bool,
    /// Boot the base for each virtual case. Otherwise cases that begin alike begin as copies of one booted laboratory.
    #[arg(long)]
    pub no_snapshot: bool,
    /// How many virtual cases at once. Default: one a core.
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Run the emulated base with this mutant (name or file): it should be caught.
    #[arg(long, value_name = "MUTANT")]
    pub mutant: Option<String>,
    /// Print only what did not pass, and the end.
    #[arg(long, short)]
    pub quiet: bool,
    /// When to colour.
    #[arg(long, value_enum, default_value_t)]
    pub color: ColorArg,
}

/// Options of `list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// What to select.
    #[command(flatten)]
    pub select: SelectArgs,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
}

/// Options of `report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// The run's folder.
    #[arg(value_name = "RUN", default_value = "reports/out/latest")]
    pub run: PathBuf,
}

/// How to print what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// One line a finding, then what each rule came to.
    #[default]
    Text,
    /// One JSON object a line: the base that was found, findings, and the summary.
    Json,
}

/// Options of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// The capture or evidence log, `-` for standard input.
    #[arg(value_name = "CAPTURE")]
    pub capture: PathBuf,
    /// The base of a capture, by address or address and port; once for each base. Default: found by its User-Agent.
    #[arg(long = "base", value_name = "ADDR")]
    pub bases: Vec<Base>,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
    /// Let rsip, which is not ours, read each message as well, and tell where the two readers differ: then the exit code is
    /// 3, unless a base is wrong.
    #[arg(long)]
    pub second_reader: bool,
    /// How many accounts each base of a capture is followed with; the least recently used ones are evicted, and counted.
    #[arg(long, value_name = "N", default_value_t = Limits::default().accounts)]
    pub accounts: usize,
}

/// How to print a matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MatrixFormat {
    /// One line a mutant, the summary, complaints, and a diff that answers them.
    #[default]
    Text,
    /// One JSON object with the same.
    Json,
}

/// Options of `calibrate`.
#[derive(Clone, Debug, Args)]
pub struct CalibrateArgs {
    /// Mutants, by name or file. Default: every one under `firmware-stubs/mutants`.
    #[arg(value_name = "MUTANT")]
    pub mutants: Vec<String>,
    /// Run all scenarios. Otherwise a mutant runs those that are tagged with what it must break.
    #[arg(long)]
    pub all: bool,
    /// What mutants may break besides.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "firmware-stubs/matrix.toml"
    )]
    pub matrix: PathBuf,
    /// The seed of the run.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many bases at once. Default: one a core.
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// How to print the matrix.
    #[arg(long, value_enum, default_value_t)]
    pub format: MatrixFormat,
}

/// Options of `base`.
#[derive(Clone, Debug, Args)]
pub struct BaseArgs {
    /// The model: a name such as `n870`, or a model file.
    pub model: String,
    /// The provisioning: a file, or a URL to which `/<mac>.xml` is appended.
    #[arg(long, value_name = "FILE|URL")]
    pub provisioning: String,
    /// The address for SIP.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// The SIP port, 0 for any free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// The serial console: `pty`, or `tcp://IP:PORT`.
    #[arg(long, value_name = "pty|tcp://IP:PORT")]
    pub console: Option<String>,
    /// The web API.
    #[arg(long, value_name = "IP:PORT")]
    pub web: Option<SocketAddr>,
    /// The MAC address, twelve hexadecimal digits.
    #[arg(long, default_value = "7c2f80e0d605")]
    pub mac: String,
    /// The seed of Call-IDs, tags, branches and jitter, to repeat a run. Default: another one at every start, out of the
    /// MAC address, the time and the process.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// A mutant: name or file.
    #[arg(long)]
    pub mutant: Option<String>,
    /// End, as at SIGTERM, when standard input ends: for a parent that may be killed.
    #[arg(long)]
    pub end_with_stdin: bool,
}

/// Options of `server`.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// The dialect: a name such as `broadsoft`, or a dialect file.
    pub dialect: String,
    /// A user and its password; once for each user. `2000-5999:PASSWORD` is every number of a range.
    #[arg(
        long = "user",
        value_name = "NAME:PASSWORD",
        required_unless_present = "users_file"
    )]
    pub users: Vec<String>,
    /// A file with a user a line, written as in --user, so that no password stands on the command line. Blank lines and
    /// lines that begin with `#` mean nothing.
    #[arg(long = "users", value_name = "FILE")]
    pub users_file: Option<PathBuf>,
    /// The address for SIP.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:5060")]
    pub bind: SocketAddr,
    /// The transports.
    #[arg(long, value_delimiter = ',', default_value = "udp")]
    pub transport: Vec<TransportArg>,
    /// The domain of the users' addresses of record. Default: any.
    #[arg(long)]
    pub domain: Option<String>,
    /// The control API: Xsi-Actions and /control/faults.
    #[arg(long, value_name = "IP:PORT")]
    pub control: Option<SocketAddr>,
    /// The seed of tags, branches and nonces, to repeat a run. Default: another one at every start, out of the address,
    /// the time and the process.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// A SIP transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TransportArg {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}
