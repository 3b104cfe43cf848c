//! A world of its own for each story: what it is made of, how a story waits, and what must hold of its evidence.
use bench::lab::{BaseSpec, Layout};
use bench::profile::Profile;
use bench::rig::{HandsetFace, LabKind, Rig};
use bench::{Account, BaseFactory, Bench, Handset, Setup, Sync};
use evidence::message::{Message, Method};
use evidence::record::{Direction, Fate, Intent, Observation, Record, Screen, Sip, Unit};
use firmware_stubs::{Base, BaseConfig, Model};
use server::Dialect;
use sip::node::Node;
use sip::service::{AS_FEATURE_EVENT, Service, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Longer than anything takes that happens at all: only a story that fails waits so long. In the virtual laboratory it
/// bounds lab time, and covers a boot with its provisioning and the retries of lost messages.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) use bench::setup::DOMAIN;

pub(crate) const N870: &str = include_str!("../../../firmware-stubs/models/n870.toml");
const RIG: &str = include_str!("../../../rigs/emulated-n870.toml");

/// What a world is made of.
pub(crate) struct Plan {
    /// The model of every unit.
    pub(crate) model: String,
    /// The handsets of each unit; the first unit is the rig's own base.
    pub(crate) units: Vec<Vec<String>>,
    /// Who has an account: name, handset and user.
    pub(crate) people: Vec<(String, String, String)>,
    /// How many sites each server has.
    pub(crate) servers: Vec<usize>,
    /// How handsets are worked and read.
    pub(crate) face: HandsetFace,
}

/// The handsets of Anna and Ben.
pub(crate) const HANDSETS: [&str; 2] = ["029e74a599", "02b6ec8aa5"];

impl Plan {
    /// Two units with one handset each, one server with one site.
    pub(crate) fn two_units() -> Self {
        let [anna, ben] = HANDSETS;
        Self {
            model: N870.to_owned(),
            units: vec![vec![anna.to_owned()], vec![ben.to_owned()]],
            people: vec![person("Anna", anna, "2001"), person("Ben", ben, "2002")],
            servers: vec![1],
            face: HandsetFace::Console,
        }
    }

    /// The rig file, read as any other: the names of further units are `unit-2` and so on.
    fn rig(&self, model: &str) -> Rig {
        let list = |ipuis: &[String]| format!("ipui = [\"{}\"]", ipuis.join("\", \""));
        let usual = format!("ipui = [\"{}\"]", HANDSETS.join("\", \""));
        let own = "emulated = \"n870\"\n";
        assert!(
            RIG.contains(&usual) && RIG.contains(own),
            "the rig file has changed"
        );
        let mut text = RIG.replacen(&usual, &list(&self.units[0]), 1).replacen(
            own,
            &format!("emulated = \"{model}\"\n"),
            1,
        );
        for (number, ipuis) in self.units.iter().enumerate().skip(1) {
            text.push_str(&format!(
                "\n[[unit]]\nname = \"unit-{}\"\nemulated = \"{model}\"\nmac = \"7c2f80e1{number:04x}\"\nhandsets = {{ {} }}\n",
                number + 1,
                list(ipuis)
            ));
        }
        let rigs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rigs");
        Rig::from_toml(&text, &rigs.join("two-units.toml")).unwrap()
    }

    fn accounts(&self) -> Vec<Account> {
        let account = |(name, handset, user): &(String, String, String)| Account {
            name: name.clone(),
            handset: handset.clone(),
            user: user.clone(),
            password: format!("secret-of-{user}"),
            display_name: name.clone(),
            sync: Sync::On,
        };
        self.people.iter().map(account).collect()
    }
}

pub(crate) fn person(name: &str, handset: &str, user: &str) -> (String, String, String) {
    (name.to_owned(), handset.to_owned(), user.to_owned())
}

/// One story's world.
pub(crate) struct World {
    pub(crate) bench: Bench,
    rig: Rig,
    /// Holds the model file that the program reads at every boot.
    _folder: TempDir,
}

/// Tells a story in a world of this laboratory, and judges its evidence.
pub(crate) fn tell(lab: LabKind, plan: &Plan, story: impl FnOnce(&mut World)) {
    let mut world = World::open(lab, plan);
    story(&mut world);
    world.end();
}

impl World {
    fn open(lab: LabKind, plan: &Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.toml");
        std::fs::write(&file, &plan.model).unwrap();
        let name = file.to_str().unwrap();
        let model = Model::from_toml(&plan.model, name).unwrap();
        let rig = plan.rig(name);
        let profile = Profile::load(&rig.profile).unwrap();
        let bench = Bench::open(Setup {
            lab,
            seed: 1,
            rig: Arc::new(rig.clone()),
            face: plan.face,
            profile: Arc::new(profile),
            dialect: Arc::new(Dialect::broadsoft()),
            factory: factory(model),
            base_command: env!("CARGO_BIN_EXE_lockstep").into(),
            base_arguments: vec!["--end-with-stdin".to_owned()],
            evidence: None,
            accounts: plan.accounts(),
            servers: plan.servers.clone(),
            faults: true,
            names: bench::lab::names::Names::default(),
        });
        Self {
            bench: bench.unwrap(),
            rig,
            _folder: folder,
        }
    }

    /// The unit that somebody's handset is paired with.
    pub(crate) fn unit_of(&self, name: &str) -> Unit {
        let handset = &self.bench.account(name).unwrap().handset;
        let units = self.rig.units();
        let unit = units.iter().find(|unit| unit.handsets.contains(handset));
        Unit::new(&unit.unwrap().name)
    }

    pub(crate) fn user_of(&self, name: &str) -> String {
        self.bench.account(name).unwrap().user.clone()
    }

    /// The present point in the evidence.
    pub(crate) fn mark(&self) -> u64 {
        self.bench.last_seq()
    }

    /// Somebody changes a service of a user at the portal of a server.
    pub(crate) fn change_at(
        &mut self,
        server: usize,
        user: &str,
        service: Service,
        setting: &Setting,
    ) {
        let mut portal = self.bench.portal_of(server).unwrap();
        portal.change(user, service, setting).unwrap();
    }

    /// The same, for somebody's account at the first server.
    pub(crate) fn change(&mut self, name: &str, service: Service, setting: &Setting) {
        let user = self.user_of(name);
        self.change_at(0, &user, service, setting);
    }

    /// Somebody changes a service at the handset.
    pub(crate) fn set(&mut self, name: &str, service: Service, active: bool) {
        let mut handset = Handset::new(self.bench.face(name).unwrap());
        let intent = Intent {
            service,
            active,
            number: None,
            rings: None,
            agent: None,
        };
        handset.set_service(intent).unwrap();
        handset.go_idle().unwrap();
    }

    /// Lets the world run until a record after the mark satisfies the condition; its number.
    pub(crate) fn until(
        &mut self,
        what: &str,
        mark: u64,
        condition: impl FnMut(&Record) -> bool,
    ) -> u64 {
        let found = self.bench.until_record(mark, PATIENCE, condition);
        let Some(seq) = found.unwrap() else {
            panic!("no {what} within {PATIENCE:?}\n{}", self.last_records());
        };
        seq
    }

    fn last_records(&self) -> String {
        let records = self.bench.log().records();
        let last = records.iter().rev().take(40).rev();
        last.map(|record| format!("{record:?}\n")).collect()
    }

    /// Waits until somebody's idle display shows the service (or nothing of it any more) after the mark.
    pub(crate) fn until_shown(&mut self, name: &str, service: Service, active: bool, mark: u64) {
        // What changed before an instrument was ready is not reported; what changes from now on is.
        self.bench.face(name).unwrap().read().unwrap();
        let handset = self.bench.account(name).unwrap().handset.clone();
        let profile = self.bench.shared_profile();
        let what = format!("display of {name} with {service} {active}");
        self.until(&what, mark, |record| {
            shown(record).is_some_and(|screen| {
                screen.handset == handset
                    && screen.view == evidence::record::View::Idle
                    && profile.display.idle_mark(screen, service).is_some() == active
            })
        });
    }

    /// The displays that showed the service after the mark, by handset.
    pub(crate) fn showing(&self, service: Service, mark: u64) -> BTreeSet<String> {
        let display = &self.bench.profile().display;
        let records = self.bench.log().after(mark).iter();
        let records = records.filter_map(|record| shown(record));
        records
            .filter(|screen| display.idle_mark(screen, service).is_some())
            .map(|screen| screen.handset.clone())
            .collect()
    }

    /// Waits until the base has accepted a NOTIFY of feature key synchronisation for each of these people.
    pub(crate) fn until_synchronised(&mut self, names: &[&str], mark: u64) {
        let mut due: BTreeSet<(Unit, String)> = names
            .iter()
            .map(|name| (self.unit_of(name), self.user_of(name)))
            .collect();
        let mut accepted = Accepted::default();
        self.until("synchronisation", mark, |record| {
            if let Some(notice) = accepted.take(record)
                && notice.package == AS_FEATURE_EVENT
            {
                due.remove(&(notice.unit, notice.user));
            }
            due.is_empty()
        });
    }

    /// Waits until the base of somebody has accepted a NOTIFY of this package, after the mark.
    pub(crate) fn until_accepted(&mut self, name: &str, package: &str, mark: u64) -> Notice {
        let (unit, user) = (self.unit_of(name), self.user_of(name));
        let mut accepted = Accepted::default();
        let mut found = None;
        self.until(&format!("NOTIFY of {package} for {name}"), mark, |record| {
            let notice = accepted.take(record);
            found = notice.filter(|it| it.package == package && it.unit == unit && it.user == user);
            found.is_some()
        });
        found.unwrap()
    }

    /// The NOTIFYs that the bases accepted after the mark.
    pub(crate) fn accepted(&self, mark: u64) -> Vec<Notice> {
        let mut accepted = Accepted::default();
        let records = self.bench.log().after(mark).iter();
        records.filter_map(|record| accepted.take(record)).collect()
    }

    /// The requests of this method that the bases sent after the mark: unit, user and message.
    pub(crate) fn requests(&self, method: &Method, mark: u64) -> Vec<(Unit, String, Arc<Message>)> {
        let records = self.bench.log().after(mark).iter();
        records
            .filter_map(|record| {
                let sip = sip_of(record, Direction::FromBase, Fate::Sent)?;
                let message = sip.message()?;
                let user = user_part(message.from_uri()?)?;
                (message.method() == Some(method))
                    .then(|| (record.unit.clone().unwrap(), user, Arc::clone(&message)))
            })
            .collect()
    }

    /// Whether time passes by itself here.
    pub(crate) fn has_wall(&self) -> bool {
        let first = self.bench.log().records().first();
        first.is_some_and(|record| record.wall.is_some())
    }

    pub(crate) fn layout(&self) -> Layout {
        self.bench.layout()
    }

    /// The world ends: the rig was sound, nobody is blamed, and each record names its unit.
    fn end(self) {
        let (layout, rig) = (self.layout(), self.rig.clone());
        let report = self.bench.finish();
        assert_eq!(report.rig_error, None);
        assert_eq!(report.findings, []);
        assert!(
            report.rules.iter().any(|rule| rule.exercised > 0),
            "nothing was judged"
        );
        let homes = Homes::new(&rig, &layout);
        let mut checked = 0;
        for record in report.log.records() {
            let Some(home) = homes.of(record) else {
                continue;
            };
            assert_eq!(record.unit, home, "{record:?}");
            checked += usize::from(home.is_some());
        }
        assert!(checked > 0, "no record is any unit's");
    }
}

/// Makes emulated bases of this model.
pub(crate) fn factory(model: Model) -> BaseFactory {
    Arc::new(move |spec: &BaseSpec| {
        let base: Box<dyn Node> = Box::new(Base::new(BaseConfig {
            model: model.clone(),
            mutant: None,
            mac: spec.mac.clone(),
            sip: spec.sip,
            provisioning_url: spec.provisioning_url.clone(),
            seed: spec.seed,
        }));
        Ok(base)
    })
}

fn shown(record: &Record) -> Option<&Screen> {
    match &record.observation {
        Observation::Screen(screen) => Some(screen),
        _ => None,
    }
}

fn sip_of(record: &Record, direction: Direction, fate: Fate) -> Option<&Sip> {
    match &record.observation {
        Observation::Sip(sip) if sip.direction == direction && sip.fate == fate => Some(sip),
        _ => None,
    }
}

fn user_part(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once(':')?;
    rest.split_once('@').map(|(user, _)| user.to_owned())
}

/// A NOTIFY that a base answered with 200.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) unit: Unit,
    pub(crate) user: String,
    pub(crate) package: String,
    pub(crate) call_id: String,
    pub(crate) body: String,
    /// The site that sent it.
    pub(crate) site: SocketAddr,
}

/// Follows NOTIFYs until they are answered.
#[derive(Default)]
struct Accepted {
    waiting: BTreeMap<(Unit, String, String), Notice>,
}

impl Accepted {
    /// Takes the next record, and gives the NOTIFY that it accepts, if it does.
    fn take(&mut self, record: &Record) -> Option<Notice> {
        if let Some(sip) = sip_of(record, Direction::ToBase, Fate::Delivered) {
            let message = sip.message()?;
            if message.method() == Some(&Method::Notify) {
                let notice = Notice::new(record, sip, &message)?;
                let number = message.header("CSeq")?.to_owned();
                let key = (notice.unit.clone(), notice.call_id.clone(), number);
                self.waiting.insert(key, notice);
            }
            return None;
        }
        let sip = sip_of(record, Direction::FromBase, Fate::Delivered)?;
        let message = sip.message()?;
        let key = (
            record.unit.clone()?,
            message.call_id().to_owned(),
            message.header("CSeq")?.to_owned(),
        );
        let notice = self.waiting.remove(&key)?;
        (message.status() == Some(200)).then_some(notice)
    }
}

impl Notice {
    fn new(record: &Record, sip: &Sip, message: &Message) -> Option<Self> {
        let event = message.header("Event")?;
        Some(Self {
            unit: record.unit.clone()?,
            user: user_part(message.to_uri()?)?,
            package: event.split(';').next()?.trim().to_owned(),
            call_id: message.call_id().to_owned(),
            body: String::from_utf8_lossy(message.body()).into_owned(),
            site: sip.source,
        })
    }
}

/// Which unit each thing belongs to, read from the rig and the addresses, not from the bench.
struct Homes {
    units: Vec<(Unit, SocketAddr, String, Vec<String>)>,
}

impl Homes {
    fn new(rig: &Rig, layout: &Layout) -> Self {
        let units = rig.units().into_iter().zip(&layout.units);
        let home = |(unit, place): (bench::rig::RigUnit, &bench::lab::UnitPlace)| {
            (Unit::new(&unit.name), place.sip, unit.mac, unit.handsets)
        };
        Self {
            units: units.map(home).collect(),
        }
    }

    /// The unit that a record must name, or that it must name none; nothing for a record that does not tell.
    fn of(&self, record: &Record) -> Option<Option<Unit>> {
        match &record.observation {
            Observation::Sip(sip) => {
                let own = match sip.direction {
                    Direction::FromBase => sip.source,
                    Direction::ToBase => sip.destination,
                };
                self.named(|(_, sip, _, _)| sip.ip() == own.ip())
            }
            Observation::Screen(screen) => self.of_handset(&screen.handset),
            Observation::Key { handset, .. } => self.of_handset(handset),
            Observation::Provisioning { path, .. } => {
                self.named(|(_, _, mac, _)| path.contains(mac.as_str()))
            }
            Observation::Console { text, .. } => self.mentioned(text),
            Observation::Web { line, body, .. } => self.mentioned(&format!("{line} {body}")),
            // Whose power it is, the story tells.
            Observation::Power { .. } => None,
            Observation::Claim { .. }
            | Observation::Fault { .. }
            | Observation::Note { .. }
            | Observation::ScenarioEnd
            | Observation::Step { .. } => Some(None),
            Observation::Finding { .. } => None,
        }
    }

    fn of_handset(&self, ipui: &str) -> Option<Option<Unit>> {
        self.named(|(_, _, _, handsets)| handsets.iter().any(|own| own == ipui))
    }

    /// The unit one of whose handsets, or whose MAC address, stands in the text.
    fn mentioned(&self, text: &str) -> Option<Option<Unit>> {
        let is_it = |(_, _, mac, handsets): &&(Unit, SocketAddr, String, Vec<String>)| {
            text.contains(mac.as_str()) || handsets.iter().any(|ipui| text.contains(ipui.as_str()))
        };
        let found = self.units.iter().find(is_it)?;
        Some(Some(found.0.clone()))
    }

    fn named(
        &self,
        is_it: impl Fn(&(Unit, SocketAddr, String, Vec<String>)) -> bool,
    ) -> Option<Option<Unit>> {
        let mut units = self.units.iter();
        let found = units.find(|unit| is_it(unit));
        let Some(found) = found else {
            panic!("no unit is there");
        };
        Some(Some(found.0.clone()))
    }
}
