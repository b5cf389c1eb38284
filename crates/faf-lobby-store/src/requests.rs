//! Executes the requests of the lobby that need only the database.

use faf_lobby_core::request::{AttemptJoin, CheckPassword, CheckToken, OpenMatch, StoreGame};
use faf_lobby_core::{AvatarNotGranted, Reply, Request, Ticket, Unavailable, UnknownMod, UnknownPlayer};

use crate::{Operations, StoreError};

/// A request for which the operations of a database are not enough.
#[derive(Debug)]
pub enum Beyond {
    /// The password has to be hashed.
    CheckPassword(Ticket<CheckPassword>, CheckPassword),
    /// The token has to be verified.
    CheckToken(Ticket<CheckToken>, CheckToken),
    /// The player may join even if the attempt cannot be recorded.
    AttemptJoin(Ticket<AttemptJoin>, AttemptJoin),
    /// Writes about games keep their order.
    StoreGame(Ticket<StoreGame>, StoreGame),
}

/// Executes a request and returns the reply. The reply hides the reason of a failure from the
/// lobby; `failed` gets it.
///
/// # Errors
/// The request itself, if the operations of a database are not enough for it.
pub async fn perform<S: Operations>(
    store: &S,
    request: Request,
    failed: fn(&StoreError),
) -> Result<Reply, Beyond> {
    let reply = match request {
        Request::SignIn(ticket, request) => {
            let recorded = store.record_login(request.player, request.address, request.user_agent).await;
            let profile = match recorded {
                Ok(()) => store.profile(request.player).await.map(Box::new),
                Err(error) => Err(error),
            };
            ticket.reply(available(profile, failed))
        }
        Request::SetRelation(ticket, request) => {
            let set = store.set_relation(request.player, request.subject, request.relation).await;
            ticket.reply(available(set.map(|exists| exists.then_some(()).ok_or(UnknownPlayer)), failed))
        }
        Request::EndRelation(ticket, request) => {
            let ended = store.end_relation(request.player, request.subject, request.relation).await;
            ticket.reply(available(ended, failed))
        }
        Request::ListAvatars(ticket, request) => {
            ticket.reply(available(store.avatars(request.player).await, failed))
        }
        Request::SelectAvatar(ticket, request) => {
            let selected = store.select_avatar(request.player, request.url).await;
            ticket.reply(available(selected.map(|selected| selected.ok_or(AvatarNotGranted)), failed))
        }
        Request::HasPermission(ticket, request) => {
            ticket.reply(available(store.has_permission(request.player, request.permission).await, failed))
        }
        Request::ListCoopMissions(ticket, _) => ticket.reply(available(store.coop_missions().await, failed)),
        Request::ListLikedMods(ticket, request) => {
            ticket.reply(available(store.liked_mods(request.limit).await, failed))
        }
        Request::LikeMod(ticket, request) => {
            ticket.reply(available(store.like_mod(request.player, request.uid).await, failed))
        }
        Request::CountDownload(ticket, request) => {
            let counted = store.count_download(request.uid).await;
            ticket.reply(available(counted.map(|exists| exists.then_some(()).ok_or(UnknownMod)), failed))
        }
        Request::FindBan(ticket, request) => {
            ticket.reply(available(store.find_ban(request.player).await, failed))
        }
        Request::FindMap(ticket, request) => {
            ticket.reply(available(store.find_map(request.folder).await, failed))
        }
        Request::OpenGame(ticket, request) => {
            let map = match store.record_host(request.host, request.game).await {
                Ok(()) => store.find_map(request.folder).await,
                Err(error) => Err(error),
            };
            ticket.reply(available(map, failed))
        }
        Request::FindModNames(ticket, request) => {
            ticket.reply(available(store.mod_names(request.uids).await, failed))
        }
        Request::ReadGameData(ticket, _) => {
            ticket.reply(available(store.game_data().await.map(Box::new), failed))
        }
        Request::OpenMatch(ticket, request) => {
            let OpenMatch { host, game, queue, players, limit } = request;
            let maps = match store.record_host(host, game).await {
                Ok(()) => store.recent_maps(queue, players, limit).await,
                Err(error) => Err(error),
            };
            ticket.reply(available(maps, failed))
        }
        // Other services change avatars rarely, so the whole profile is read.
        Request::ReadAvatar(ticket, request) => {
            ticket.reply(available(store.profile(request.player).await.map(|profile| profile.avatar), failed))
        }
        Request::SaveQueues(ticket, request) => {
            ticket.reply(available(store.save_queues(request.saved).await, failed))
        }
        Request::CheckPassword(ticket, request) => return Err(Beyond::CheckPassword(ticket, request)),
        Request::CheckToken(ticket, request) => return Err(Beyond::CheckToken(ticket, request)),
        Request::AttemptJoin(ticket, request) => return Err(Beyond::AttemptJoin(ticket, request)),
        Request::StoreGame(ticket, request) => return Err(Beyond::StoreGame(ticket, request)),
    };
    Ok(reply)
}

fn available<T>(result: Result<T, StoreError>, failed: fn(&StoreError)) -> Result<T, Unavailable> {
    result.map_err(|error| {
        failed(&error);
        Unavailable
    })
}
