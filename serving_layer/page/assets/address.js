// Returns the address of a customer, or of the overview if `id` is null, within the page. It never reaches a server's log.
export function address(id, asOf) {
  return `#/${id === null ? "" : `customers/${encodeURIComponent(id)}`}${asOf ? `?as_of=${asOf}` : ""}`;
}
