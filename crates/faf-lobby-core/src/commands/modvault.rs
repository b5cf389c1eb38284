//! `modvault`: shows the most liked mods, likes one, counts a download (session.md section 10; deprecated).

use faf_protocol::client_message::ModvaultAction;
use faf_protocol::server_message::{ModvaultMod, ServerMessage};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::commands::Progress;
use crate::event::ConnId;
use crate::io::records::{Like, VaultMod};
use crate::io::request::{CountDownload, LikeMod, ListLikedMods, ReplyTo};
use crate::pending::Resume;
use crate::refusal::Refusal;
use crate::world::World;

/// Mods that are shown.
const SHOWN: u32 = 100;

/// Characters of file names that are escaped in links; slashes separate folders.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

pub(crate) fn handle(world: &mut World, conn: ConnId, action: ModvaultAction) -> Result<Progress, Refusal> {
    let player = world.player_of(conn);
    match action {
        ModvaultAction::Start => world.request(conn, ListLikedMods { limit: SHOWN }, ()),
        ModvaultAction::Like { uid } => world.request(conn, LikeMod { player, uid }, ()),
        ModvaultAction::Download { uid } => world.request(conn, CountDownload { uid }, ()),
    }
}

impl Resume for ListLikedMods {
    type Memo = ();

    fn resume((): (), world: &mut World, conn: ConnId, reply: ReplyTo<Self>) -> Result<Progress, Refusal> {
        for shown in reply? {
            show(world, conn, shown);
        }
        Ok(Progress::Done)
    }
}

impl Resume for LikeMod {
    type Memo = ();

    fn resume((): (), world: &mut World, conn: ConnId, reply: ReplyTo<Self>) -> Result<Progress, Refusal> {
        match reply?? {
            Like::Counted(liked) => show(world, conn, *liked),
            Like::Before => {}
        }
        Ok(Progress::Done)
    }
}

impl Resume for CountDownload {
    type Memo = ();

    fn resume((): (), _world: &mut World, _conn: ConnId, reply: ReplyTo<Self>) -> Result<Progress, Refusal> {
        reply??;
        Ok(Progress::Done)
    }
}

fn show(world: &mut World, conn: ConnId, shown: VaultMod) {
    let info = modvault_info(&world.settings.content_url, shown);
    world.send(conn, ServerMessage::ModvaultInfo(info));
}

fn modvault_info(content_url: &str, shown: VaultMod) -> ModvaultMod {
    let link = |folder: &str, file: &str| {
        format!("{content_url}/faf/vault/{folder}{}", utf8_percent_encode(file, ESCAPED))
    };
    ModvaultMod {
        thumbnail: if shown.icon.is_empty() { String::new() } else { link("mods_thumbs/", &shown.icon) },
        link: link("", &shown.filename),
        bugreports: Vec::new(),
        comments: Vec::new(),
        description: shown.description,
        played: shown.played,
        likes: shown.likes,
        downloads: shown.downloads,
        date: shown.date,
        uid: shown.uid,
        name: shown.name,
        version: shown.version,
        author: shown.author,
        ui: shown.is_ui.into(),
    }
}
