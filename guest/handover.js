// Where `loader.js` leaves the plugin for `boot.js`. A plugin that writes here only says that it is something else.

export const handover = { __proto__: null, isDone: false, definition: undefined };
