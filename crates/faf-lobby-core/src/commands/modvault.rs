//! `modvault`: shows the most liked mods, likes one, counts a download (session.md section
//! 10; deprecated).

use faf_protocol::client_message::ModvaultAction;
use faf_protocol::server_message::{ModvaultMod, ServerMessage};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::io::{ConnId, CountDownload, Like, LikeMod, ListLikedMods, ReplyTo, VaultMod};
use crate::state::{CommandResult, Lobby, Progress, Resume};

/// Maximum number of mods that are shown.
const MODS_SHOWN: u32 = 100;

/// Characters of file names that are escaped in links; slashes separate folders.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

pub(crate) fn handle(lobby: &mut Lobby, conn: ConnId, action: ModvaultAction) -> CommandResult {
    let player = lobby.player_of(conn);
    match action {
        ModvaultAction::Start => Ok(lobby.request(conn, ListLikedMods { limit: MODS_SHOWN }, ())),
        ModvaultAction::Like { uid } => Ok(lobby.request(conn, LikeMod { player, uid }, ())),
        ModvaultAction::Download { uid } => Ok(lobby.request(conn, CountDownload { uid }, ())),
    }
}

impl Resume for ListLikedMods {
    type Memo = ();

    fn resume((): (), lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        for shown in reply? {
            show(lobby, conn, shown);
        }
        Ok(Progress::Done)
    }
}

impl Resume for LikeMod {
    type Memo = ();

    fn resume((): (), lobby: &mut Lobby, conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        match reply?? {
            Like::Counted(liked) => show(lobby, conn, *liked),
            Like::Before => {}
        }
        Ok(Progress::Done)
    }
}

impl Resume for CountDownload {
    type Memo = ();

    fn resume((): (), _lobby: &mut Lobby, _conn: ConnId, reply: ReplyTo<Self>) -> CommandResult {
        reply??;
        Ok(Progress::Done)
    }
}

fn show(lobby: &mut Lobby, conn: ConnId, shown: VaultMod) {
    let info = modvault_info(&lobby.settings.content_url, shown);
    lobby.send(conn, ServerMessage::ModvaultInfo(info));
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
