"use strict";

// What readers say of a hit is sent without leaving the page. Without this file the buttons are a form like any other.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form.feedback")) return;
  event.preventDefault();
  const pressed = event.submitter;
  const said = form.querySelector("[role=status]");
  said.textContent = "";
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, pressed)) });
    if (!answer.ok || answer.redirected) throw new Error(answer.status);
    for (const each of form.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each === pressed));
    said.textContent = form.dataset.thanks;
  } catch {
    said.textContent = form.dataset.failed;
  }
});
