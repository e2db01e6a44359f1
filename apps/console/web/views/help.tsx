import { useEffect, useRef } from 'preact/hooks';
import { helpShown, KEYS } from '../keyboard.ts';

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog
      class="help"
      ref={dialog}
      onClose={() => (helpShown.value = false)}
      onClick={(event) => event.target === dialog.current && dialog.current!.close()}
    >
      <h2>Keys</h2>
      <dl>
        {KEYS.map(([keys, does]) => (
          <div key={keys}>
            <dt>
              {keys.split(/ +/).map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </dialog>
  );
}
