mod beginning;
mod leaving;
mod rig;
mod snapshots;
mod takeover;
