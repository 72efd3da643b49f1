//! What the Debian package is made of: its files are there, and agree with the unit that is installed with them.
//! Builds none; `make deb` does.

use crate::{project, read, said, support::server::JEDAY};
use std::{path::Path, process::Command};
use toml::{Table, Value};

/// What `make deb` writes before it packs, and where it is found then.
const WRITTEN: &str = "target/release/packaged/";

fn metadata() -> Table {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    manifest["package"]["metadata"]["deb"].as_table().unwrap().clone()
}

/// Source, destination and mode of each file.
fn assets() -> Vec<[String; 3]> {
    let asset = |asset: &Value| [0, 1, 2].map(|at| asset[at].as_str().unwrap().to_owned());
    metadata()["assets"].as_array().unwrap().iter().map(asset).collect()
}

/// The only value of this key in the unit.
fn unit(key: &str) -> String {
    let text = read("deploy/jeday.service");
    let values: Vec<_> = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect();
    let [value] = values[..] else { panic!("{key}: {values:?}") };
    value.to_owned()
}

/// Whether a file is there whose name fits; a star stands for any part of a name.
fn is_there(source: &str) -> bool {
    let Some((before, after)) = source.split_once('*') else { return project().join(source).is_file() };
    let (folder, start) = before.rsplit_once('/').unwrap();
    let names = project().join(folder).read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    names.into_iter().any(|name| name.starts_with(start) && name.ends_with(after))
}

#[test]
fn each_file_of_the_package_is_there_or_is_made_for_it() {
    let makefile = read("Makefile");
    for [source, ..] in assets() {
        if let Some(name) = source.strip_prefix(WRITTEN) {
            let made = match name.split_once('.') {
                Some(("man/*", _)) => makefile.contains("man --directory $(PACKAGED)/man"),
                Some((_, "toml")) => makefile.contains("config --defaults > $(PACKAGED)/jeday.toml"),
                Some((_, shell)) => {
                    makefile.contains("completions $(kind) > $(PACKAGED)/jeday.$(kind)")
                        && !said(Command::new(JEDAY).args(["completions", shell])).is_empty()
                }
                None => false,
            };
            assert!(made, "nobody writes {source}");
        } else if source != "target/release/jeday" {
            assert!(is_there(&source), "{source}");
        }
    }
}

#[test]
fn the_unit_finds_what_the_package_installs() {
    let start = unit("ExecStart");
    let words: Vec<_> = start.split(' ').collect();
    let [program, "serve", "--config", config] = words[..] else { panic!("{start}") };
    let installs = |wanted: &str| {
        assets().into_iter().find(|[source, to, _]| {
            let name = Path::new(source).file_name().unwrap().to_str().unwrap();
            let to = if to.ends_with('/') { format!("/{to}{name}") } else { format!("/{to}") };
            to == wanted
        })
    };
    assert_eq!(installs(program).unwrap(), ["target/release/jeday", "usr/bin/", "755"]);
    let [_, _, mode] = installs(config).unwrap();
    assert_eq!(mode, "640", "it may hold the database's password");
    assert_eq!(metadata()["conf-files"].as_array().unwrap(), &[Value::from(config)]);
    let systemd = metadata()["systemd-units"].clone();
    let file =
        format!("{}/{}.service", systemd["unit-scripts"].as_str().unwrap(), systemd["unit-name"].as_str().unwrap());
    assert_eq!(file, "deploy/jeday.service");
    assert!(
        !systemd["enable"].as_bool().unwrap() && !systemd["start"].as_bool().unwrap(),
        "it is the operator's choice"
    );
}

#[test]
fn maintainer_scripts_make_the_units_user_and_keep_its_keys() {
    let scripts = metadata()["maintainer-scripts"].as_str().unwrap().to_owned();
    for script in ["postinst", "postrm"] {
        let path = format!("{scripts}/{script}");
        said(Command::new("sh").arg("-n").arg(project().join(&path)));
        assert!(read(&path).contains("\n#DEBHELPER#\n"), "{path} leaves the unit unknown to systemd");
        assert!(!read(&path).contains("rm -r"), "{path} removes what the server has written");
    }
    let (user, group) = (unit("User"), unit("Group"));
    let postinst = read(&format!("{scripts}/postinst"));
    let state = format!("/var/lib/{}", unit("StateDirectory"));
    assert!(postinst.contains(&format!("--system --group --home {state}")) && postinst.contains(&format!("{user}\n")));
    assert!(postinst.contains(&format!("chown root:{group} /etc/jeday/jeday.toml")));
}
