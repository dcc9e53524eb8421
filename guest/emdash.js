// What `import … from "emdash"` finds inside the sandbox: enough for a plugin's definition to be written with it.

export const definePlugin = (definition) => definition;
