// Writes the editor's logs to files. Where VS Code's native logger is not built, its stand-in writes nothing: output
// channels stay empty, and a token in a log would go unseen. Preloaded into the editor host: NODE_OPTIONS="--require THIS".
const children = require('node:child_process');
const { appendFileSync, mkdirSync } = require('node:fs');
const { registerHooks, syncBuiltinESMExports } = require('node:module');
const { dirname } = require('node:path');
const { pathToFileURL } = require('node:url');

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === '@vscode/spdlog'
      ? { url: pathToFileURL(__filename).href, format: 'commonjs', shortCircuit: true }
      : next(specifier, context),
});

// The editor host keeps NODE_OPTIONS from its extension hosts.
const { fork } = children;
children.fork = (path, args, options = {}) =>
  fork(path, args, {
    ...options,
    execArgv: [...(options.execArgv ?? process.execArgv), `--require=${__filename}`],
  });
syncBuiltinESMExports();

class Logger {
  constructor(file) {
    this.file = file;
    mkdirSync(dirname(file), { recursive: true });
  }
}
for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'critical']) {
  Logger.prototype[level] = function (message) {
    appendFileSync(this.file, `[${level}] ${message}\n`);
  };
}
for (const name of ['flush', 'drop', 'setLevel', 'clearFormatters', 'setPattern']) {
  Logger.prototype[name] = () => {};
}

exports.version = 0;
exports.Logger = Logger;
exports.setLevel = () => {};
exports.setFlushOn = () => {};
exports.createRotatingLogger = async (_name, file) => new Logger(file);
exports.createAsyncRotatingLogger = async (_name, file) => new Logger(file);
