//! `ask_session`: introduces the client and tells the session number (session.md section 3).

use faf_protocol::client_message::AskSession;
use faf_protocol::server_message::{Notice, NoticeStyle, ServerMessage, Session};

use crate::client_text::cut;
use crate::clients::Client;
use crate::commands::Progress;
use crate::effect::Count;
use crate::event::ConnId;
use crate::refusal::Refusal;
use crate::texts;
use crate::world::World;

/// The official client has this in its name.
const OFFICIAL_CLIENT: &str = "downlords-faf-client";

/// Longest name or version that is kept, in characters; the rest is cut. The column that stores it is as long.
const NAME_LIMIT: usize = 50;

pub(crate) fn handle(world: &mut World, conn: ConnId, request: AskSession) -> Result<Progress, Refusal> {
    let is_official = request.user_agent.as_deref().is_some_and(|name| name.contains(OFFICIAL_CLIENT));
    if !is_official {
        let text = texts::unofficial_client(&world.settings.www_url);
        world.send(conn, ServerMessage::Notice(Notice::new(NoticeStyle::Info, text)));
    }
    let kept = |name| cut(name, NAME_LIMIT);
    let client = Client { user_agent: request.user_agent.map(kept), version: request.version.map(kept) };
    if let Some(version) = client.version.clone()
        && !std::mem::replace(&mut world.session_mut(conn).version_counted, true)
    {
        world.count(Count::Version(version));
    }
    world.introduce(conn, client);
    let session = world.session(conn).number;
    world.send(conn, ServerMessage::Session(Session { session }));
    Ok(Progress::Done)
}
