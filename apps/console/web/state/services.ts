/** Names below which the page finds admin APIs: whoever serves the page writes them into it. */
export const services: readonly string[] = (
  document.querySelector<HTMLMetaElement>('meta[name="services"]')?.content ?? ''
)
  .split(',')
  .filter(Boolean);

/** The routers among them; as a rule one, called `router`. */
export const routers: readonly string[] = services.filter((name) => name === 'router' || name.startsWith('router-'));
