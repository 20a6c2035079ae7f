// Constants the bundler writes in.

/** True only in `node esbuild.js --sandbox`. */
declare const __SANDBOX__: boolean;
