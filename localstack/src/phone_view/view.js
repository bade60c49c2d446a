for (const time of document.querySelectorAll("time")) time.textContent = new Date(time.dateTime).toLocaleTimeString();
setInterval(async () => {
  try {
    const answer = await fetch("/texts?limit=0", { cache: "no-store" });
    const { count } = await answer.json();
    if (count !== Number(document.body.dataset.count)) location.reload();
  } catch {
    // The system has ended, or starts again.
  }
}, 2000);
