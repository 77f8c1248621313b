// Plays the stand-in's videos, which have no pictures: a clock that runs as a player's would, fetches
// what the playlist lists with the lesson's token, and tells the API what was played.
const SEND_EVERY = 10;

class Video {
  constructor(lesson, onProgress) {
    this.lesson = lesson;
    this.length = lesson.video.duration_seconds;
    this.position = Math.min(lesson.progress.position_seconds, this.length - 1);
    if (lesson.progress.completed) this.position = 0;
    this.rangeStart = this.position;
    this.beats = [];
    this.speed = 1;
    this.running = false;
    this.onProgress = onProgress;
    this.sentAt = 0;
    this.session = crypto.randomUUID();
  }

  // Addresses at this server, whichever of its names the page was opened by; null: at Mux's own.
  local(address) {
    const url = new URL(address, location.href);
    return url.pathname.startsWith("/_local/mux/") ? url.pathname + url.search : null;
  }

  async element() {
    const stream = this.local(this.lesson.video.stream_url);
    if (!stream) return make("p", {kind: "note flush"}, "This video is at Mux; this page has no player for it.");
    this.segments = await this.playlist(stream);
    this.button = make("button", {onclick: pressed(() => this.toggle())}, "Play");
    this.time = make("span", {kind: "mono"});
    this.place = make("input", {type: "range", min: 0, max: this.length, step: 1, "aria-label": "Position", oninput: () => this.jump(Number(this.place.value))});
    this.needed = make("p", {kind: "small soft flush"});
    const speeds = make("select", {"aria-label": "Speed", onchange: () => { this.settle(); this.speed = Number(speeds.value); }},
      ...[1, 1.5, 2].map((each) => make("option", {value: each}, `${each} ×`)));
    const picture = make("img", {src: this.local(this.lesson.video.thumbnail_url), alt: "", kind: "picture"});
    this.draw();
    this.told(this.lesson.progress);
    return make("div", {kind: "video"},
      make("div", {kind: "screen"}, picture, make("p", {kind: "caption"}, "A stand-in for Mux: it keeps the time and checks the links, and shows no pictures.")),
      make("div", {kind: "controls"}, this.button, this.place, this.time, speeds), this.needed);
  }

  async playlist(stream) {
    const answer = await fetch(stream);
    if (!answer.ok) throw new Error(`The video's link is refused (${answer.status}): load the page anew.`);
    let end = 0;
    const found = [];
    for (const line of (await answer.text()).split("\n"))
      if (line.startsWith("#EXTINF:")) end += parseFloat(line.slice(8));
      else if (line && !line.startsWith("#")) found.push({end, start: found.at(-1)?.end ?? 0, address: this.local(new URL(line, new URL(stream, location.href)))});
    return found;
  }

  async toggle() {
    if (this.running) { this.pause(); return this.send(); }
    if (this.position >= this.length) this.jump(0);
    this.running = true;
    this.last = this.sentAt = performance.now();
    this.timer = setInterval(() => this.tick(), 250);
    this.draw();
  }

  pause() {
    clearInterval(this.timer);
    this.advance();
    this.running = false;
    this.draw();
  }

  // Where the clock is by now.
  advance() {
    if (!this.running) return;
    const now = performance.now();
    this.position = Math.min(this.position + (now - this.last) / 1000 * this.speed, this.length);
    this.last = now;
  }

  // Ends the range that was played without a jump.
  settle() {
    this.advance();
    if (this.position > this.rangeStart)
      this.beats.push({from: this.rangeStart, to: this.position, at: new Date().toISOString()});
    this.rangeStart = this.position;
  }

  jump(to) {
    this.settle();
    this.position = this.rangeStart = to;
    this.draw();
  }

  async tick() {
    this.advance();
    this.draw();
    const here = this.segments.find((each) => each.start <= this.position && this.position < each.end);
    if (here && !here.fetched) {
      here.fetched = true;
      fetch(here.address).then((answer) => { if (!answer.ok) complain(`The video's link is refused (${answer.status}): load the page anew.`); });
    }
    const isOver = this.position >= this.length;
    if (isOver) this.pause();
    if (isOver || performance.now() - this.sentAt > SEND_EVERY * 1000) await this.send().catch((error) => complain(error.message));
  }

  async send() {
    this.settle();
    this.sentAt = performance.now();
    const beats = this.beats.splice(0, 100);
    try {
      const body = {type: "heartbeats", session_id: this.session, beats, position: this.position};
      const state = await ask(`/api/lessons/${this.lesson.id}/progress`, "POST", body);
      this.told(state);
      this.onProgress(state);
    } catch (error) {
      this.beats.unshift(...beats); // the next message takes them along
      throw error;
    }
  }

  told(state) {
    this.needed.textContent = state.completed ? `Watched: ${clock(state.watched_seconds)}; the lesson is completed.`
      : `Watched: ${clock(state.watched_seconds)} of ${clock(state.needed_seconds ?? this.length)} that complete the lesson.`;
  }

  draw() {
    this.button.textContent = this.running ? "Pause" : "Play";
    this.time.textContent = `${clock(this.position)} / ${clock(this.length)}`;
    this.place.value = this.position;
  }
}
