// Counts the seconds until a code may be sent again, and renews the status while somebody waits.
const wait = document.querySelector("[data-seconds]");
if (wait) {
  const end = Date.now() + wait.dataset.seconds * 1000;
  const timer = setInterval(() => {
    const left = Math.ceil((end - Date.now()) / 1000);
    wait.textContent = left > 0 ? `in ${left} s` : "";
    if (left <= 0) clearInterval(timer);
  }, 500);
}

async function renew() {
  if (!document.querySelector("#status[data-renew]")) return;
  const answer = await fetch("/where").catch(() => undefined);
  if (!answer?.ok) return void setTimeout(renew, 5000);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const status = page.querySelector("#status");
  if (!status?.hasAttribute("data-renew")) return location.reload();
  // Only what is new, so that a screen reader does not say everything again.
  const shown = document.querySelector("#status");
  if (shown.textContent !== status.textContent) shown.innerHTML = status.innerHTML;
  setTimeout(renew, 3000);
}
setTimeout(renew, 3000);
