// What `import ... from 'vscode'` finds inside src/core: nothing. See tsconfig.json beside this file.
export {};
