"""Every few minutes: what was left of videos and files, at Mux, in S3 and in the inbox."""

from studypack.core.jobs import Run, job
from studypack.courses import asset_uploads, mux_inbox, video_asking, video_clearing


@job("settle_media")
def handler(run: Run) -> None:
    """Process Mux's events that did not take effect, and ask it about videos whose events do not
    come; delete at Mux and in S3 what was dropped here and is still there; give up videos whose
    file never came.
    """
    run.skip("events_waiting_for_somebody", mux_inbox.retry_due(run))
    video_asking.ask_overdue(run)  # before they are given up
    run.in_batches(video_clearing.give_up_unused)
    run.skip("videos_not_cleared", video_clearing.clear_dropped(run))
    run.skip("files_not_removed", asset_uploads.remove_discarded(run))
