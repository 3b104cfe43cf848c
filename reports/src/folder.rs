//! The folder of a run: whatever is written into it goes through here.
//!
//! The folder may come from a stranger. So nothing below it is followed out of it: a folder inside that is a symbolic
//! link is refused, and a file is written under another name and then put in place, which replaces a link instead of
//! writing through it. It also means that a reader never sees half a file. The folder itself may be named by a link.
//! Several threads may write into the same folder, each its own file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Component, Path};

/// Writes a file at this place below the folder, in place of what is there.
pub(crate) fn write(folder: &Path, place: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(folder, place, |out| out.write_all(bytes))
}

/// As [`write`], unless it is there already: a file that is put in place of another costs a disk much more than a look at it.
pub(crate) fn write_if_new(folder: &Path, place: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(place);
    let is_own = |part: &Path| {
        let found = fs::symlink_metadata(part);
        found.is_ok_and(|found| found.is_file() || found.is_dir())
    };
    let within = path.ancestors().take(place.components().count());
    if within.into_iter().all(is_own) && fs::read(&path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    write(folder, place, bytes)
}

/// As [`write`], bit by bit.
pub(crate) fn write_with(
    folder: &Path,
    place: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let is_below = |part: Component<'_>| matches!(part, Component::Normal(_));
    if !place.components().all(is_below) {
        return Err(io::Error::other("the place is not below the run's folder"));
    }
    let mut within = folder.to_owned();
    for part in place.parent().into_iter().flat_map(Path::components) {
        within.push(part);
        make_folder(&within)?;
    }
    let path = folder.join(place);
    let mut draft = path.clone().into_os_string();
    draft.push(".new");
    remove(Path::new(&draft))?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&draft)?;
    let mut out = BufWriter::new(file);
    fill(&mut out)?;
    out.flush()?;
    fs::rename(&draft, &path)
}

/// Makes a folder, unless it is there and no link.
fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => {
            let shown = path.display();
            Err(io::Error::other(format!(
                "{shown} is not a folder of its own"
            )))
        }
        Err(error) => Err(error),
    }
}

/// Takes away what an earlier attempt has left, a link itself and not what it points to.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
