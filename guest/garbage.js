// When V8 is asked to collect garbage: for what it does not count, and what the kernel's bound on the process does.

import { collectGarbage } from "intrinsics.js";

/**
 * Each message leaves some 2 KB with workerd that V8 does not count, and that only a full collection frees; V8 by itself
 * makes one after 9000 messages. So often they cost nothing that can be measured, and 17 µs a call with 60 MB alive.
 */
const FRAMES_PER_COLLECTION = 2048;

/**
 * Files and bodies stand in buffers of their own. V8 collects those when there are 64 MB of them, and frees them a while
 * later; workerd has copies of some. With 128 MB allowed, a plugin that did nothing but upload and fetch 5 MB each time ended
 * after some hundred times.
 *
 * The host says whether to collect for messages alone, and after how many bytes of files and bodies.
 */
export function createCollector({ collectsByFrames, collectsAfterBytes }) {
  let frames = 0;
  let bytes = 0;
  return {
    __proto__: null,
    frame() {
      frames += 1;
      if (collectsByFrames && frames % FRAMES_PER_COLLECTION === 0) collectGarbage?.();
    },
    /** So many have been held, and may be garbage soon. What has just been dropped is young, and the old is left alone. */
    held(count) {
      bytes += count;
      if (bytes < collectsAfterBytes) return;
      bytes = 0;
      collectGarbage?.({ __proto__: null, type: "minor" });
    },
  };
}
