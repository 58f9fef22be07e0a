//! The database goes away, or the disk is full, and comes back: the service goes on by itself.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use futures_util::future::{join, join_all};

use super::{Crowd, SETTINGS, Said, Served, Shelf, assert_balanced};
use crate::support::cluster::{Stop, is_root};
use crate::support::databases::{self, Kind};
use crate::support::numbers::{Numbers, seed};
use crate::support::stage::Stage;

const READERS: u64 = 8;

async fn it_counts_on_when_postgresql_is_back(stage: Stage) {
    if stage.kind() == Kind::Sqlite {
        return;
    }
    let cluster = databases::own_cluster();
    let url = cluster.create("hits", "template0");
    databases::prepare(&url);
    let shelf = Shelf::fill(&url, 20).await;
    let said = Said::default();
    let served = Served::start_with(&url, SETTINGS, &[]);
    let crowd = Crowd::new(&served.base, &shelf.articles, &said);
    let readers = (0..READERS).map(|n| crowd.read(Numbers::new(seed() ^ n)));
    let outages = async {
        for how in [Stop::Fast, Stop::Immediate] {
            crowd.wait_for(200, 50).await;
            cluster.stop(how);
            // What was answered before the end may still arrive.
            crowd.wait_for(503, 10).await;
            let before = said.answers(200);
            crowd.wait_for(503, 10).await;
            assert_eq!(said.answers(200), before, "acknowledged by nobody");
            cluster.start_again();
            crowd.wait_for(200, 50).await;
        }
        crowd.end();
    };
    join(join_all(readers), outages).await;
    said.assert_kept(&shelf.counts(&served).await);
    said.settle(&served.base).await;
    let counts = shelf.counts(&served).await;
    said.assert_kept(&counts);
    said.assert_told(&served.base, &counts).await;
    assert_balanced(&url).await;
    assert_eq!(said.answers(0), 0, "requests without an answer");
    let (status, log) = served.terminate();
    assert!(status.success(), "{status}: {log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// A disk of a few megabytes.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Where this can't be had: why not.
    fn mount(at: &'a Path) -> Result<Self, String> {
        if !is_root() {
            return Err("only root may mount one".to_owned());
        }
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m", "none"])
            .arg(at)
            .output()
            .map_err(|error| error.to_string())?;
        match mounted.status.success() {
            true => Ok(Self(at)),
            false => Err(String::from_utf8_lossy(&mounted.stderr).into_owned()),
        }
    }

    /// Leaves no room on it.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).expect("it can be made");
        let mut size = 1 << 20;
        while size > 0 {
            if file.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).expect("it is there");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

async fn it_counts_on_when_there_is_room_on_the_disk_again(stage: Stage) {
    if stage.kind() == Kind::Postgres {
        return;
    }
    let folder = databases::scratch();
    let disk = match SmallDisk::mount(folder.path()) {
        Ok(disk) => disk,
        Err(why) => {
            println!("LEFT OUT: a full disk, because there is no small one: {why}");
            return;
        }
    };
    let url = format!("sqlite://{}", folder.path().join("hits.db").display());
    databases::prepare(&url);
    let shelf = Shelf::fill(&url, 20).await;
    let said = Said::default();
    let served = Served::start_with(&url, SETTINGS, &[]);
    let crowd = Crowd::new(&served.base, &shelf.articles, &said);
    let readers = (0..READERS).map(|n| crowd.read(Numbers::new(seed() ^ n)));
    let full = async {
        for _ in 0..2 {
            crowd.wait_for(200, 50).await;
            disk.fill();
            crowd.wait_for(503, 200).await;
            disk.make_room();
            crowd.wait_for(200, 50).await;
        }
        crowd.end();
    };
    join(join_all(readers), full).await;
    let counts = shelf.counts(&served).await;
    said.assert_kept(&counts);
    said.assert_told(&served.base, &counts).await;
    let (status, log) = served.terminate();
    assert!(status.success(), "{status}: {log}");
    // What it has said to be there is on the disk, not in its mind.
    let again = Served::start_with(&url, SETTINGS, &[]);
    said.assert_kept(&shelf.counts(&again).await);
    said.settle(&again.base).await;
    said.assert_kept(&shelf.counts(&again).await);
    assert_balanced(&url).await;
    assert_eq!(said.answers(0), 0, "requests without an answer");
    assert!(again.terminate().0.success());
}

crate::facts![
    it_counts_on_when_postgresql_is_back,
    it_counts_on_when_there_is_room_on_the_disk_again,
];
