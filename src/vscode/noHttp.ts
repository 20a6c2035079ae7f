// Takes the place of Node's http in the bundle for web workers: whoever asks for it is told that there is none.
throw new Error('no Node here');
