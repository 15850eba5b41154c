// The service worker of Infinite Ocean: shows what is pushed, and opens its address when it is clicked. It touches no request.
// A site that has a worker of its own takes it in: importScripts("/ocean-sw.js")

self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data ? event.data.json() : {};
  } catch {
    told = { title: event.data.text() };
  }
  const { title, body, icon, tag, url, from } = told;
  event.waitUntil(self.registration.showNotification(title || "Infinite Ocean", { body, icon, tag, data: { url, from } }));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = event.notification.data || {};
  if (!url) return;
  const target = new URL(url, self.location.origin);
  if (target.protocol !== "https:" && target.protocol !== "http:") return;
  event.waitUntil(open(target.href));
});

async function open(address) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((one) => one.url === address);
  return there ? there.focus() : self.clients.openWindow(address);
}
