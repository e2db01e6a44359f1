import { setToken, token } from '../net/admin.ts';

/** Asks for the admin token where the admin API wants one. */
export function TokenField() {
  return (
    <form
      class="token"
      onSubmit={(event) => {
        event.preventDefault();
        setToken(String(new FormData(event.currentTarget).get('token') ?? '').trim());
      }}
    >
      <label for="token">
        {token.value === '' ? 'The admin API asks for a token.' : 'The admin API refused the token.'}
      </label>
      <input id="token" name="token" type="password" autocomplete="off" placeholder="Admin token" />
      <button type="submit">Use</button>
      <span class="note">Kept in this tab until it is closed.</span>
    </form>
  );
}
