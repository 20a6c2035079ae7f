// Keeps the keyboard where the person left it. A control that vanishes or is disabled under the focus would drop it
// to the page's start; here it goes back to the same control, or to the heading of what took its place.
export class FocusKeeper {
  readonly #root: HTMLElement;
  #held: HTMLElement | null = null;
  #phase: 'still' | 'rendering' = 'still';

  constructor(root: HTMLElement) {
    this.#root = root;
    root.addEventListener('focusin', event => {
      this.#held = event.target as HTMLElement;
    });
    // Leaving of one's own will is respected. Being thrown out by a render, and another window coming to the front
    // (the payment page does), are not leaving.
    root.addEventListener('focusout', () => {
      if (this.#phase === 'still' && document.hasFocus() && !this.#held?.hasAttribute('disabled')) {
        this.#held = null;
      }
    });
    // A disabled control gets no focusout; a click elsewhere says the same.
    document.addEventListener('pointerdown', event => {
      if (!this.#held?.contains(event.target as Node)) {
        this.#held = null;
      }
    });
    // Paying happens in another window: what changed meanwhile is put right on the way back.
    window.addEventListener('focus', () => this.#restore());
  }

  around(render: () => void): void {
    this.#phase = 'rendering';
    try {
      render();
    } finally {
      this.#phase = 'still';
    }
    this.#restore();
    // The toolkit passes `disabled` on to its inner button a frame later: until then that takes no focus.
    requestAnimationFrame(() => this.#restore());
  }

  #restore(): void {
    const held = this.#held;
    // focus() in a frame that has none would take it from the editor.
    if (!held || this.#root.contains(document.activeElement) || !document.hasFocus()) {
      return;
    }
    if (held.isConnected) {
      if (!held.hasAttribute('disabled')) {
        held.focus();
      }
      return;
    }
    this.#root.querySelector<HTMLElement>('[data-landing]')?.focus();
  }
}
