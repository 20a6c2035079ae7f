// The only module that knows the toolkit. It is archived upstream, so a successor must cost this one file.
// Left out on purpose: its badge and tag break a strict style-src, its dropdown fails axe.
import {
  provideVSCodeDesignSystem,
  type TextField,
  vsCodeButton,
  vsCodeProgressRing,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';

export function registerElements(): void {
  provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeTextField(), vsCodeProgressRing());
}

/** What the text field holds now; the toolkit keeps it as a property. */
export function textOf(event: Event): string {
  return (event.currentTarget as TextField).value;
}

/**
 * Names and describes the input inside a text field. The toolkit overwrites `aria-label` with its slotted text each
 * time it is connected, and an `aria-describedby` cannot reach into its shadow root, so both are set from here.
 */
export function describeField(
  element: Element | undefined,
  label: string,
  hint: string,
  invalid: boolean,
): void {
  const field = element as TextField | undefined;
  if (!field) {
    return;
  }
  if (!field.isConnected) {
    // The toolkit names it when it is connected, which comes first.
    queueMicrotask(() => field.isConnected && describeField(field, label, hint, invalid));
    return;
  }
  field.setAttribute('aria-label', label);
  field.control.setAttribute('aria-description', hint);
  field.control.setAttribute('aria-invalid', String(invalid));
  field.control.setAttribute('inputmode', 'decimal');
  field.control.setAttribute('autocomplete', 'off');
}
