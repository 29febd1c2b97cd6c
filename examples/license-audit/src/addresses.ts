/** The addresses of a cluster as `PARALLAX_URL` names them, separated by commas. Default: this machine. */
export function addresses(urls = "http://localhost:8080"): string[] {
  return urls
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
}
