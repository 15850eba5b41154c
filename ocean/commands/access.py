"""Commands about who may do what, and who asks."""

from __future__ import annotations

from ocean.commands.command import ROUTE, Arg, Command, Twin
from ocean.services.access import access, accounts, claims, oidc, people, scoped
from ocean.services.access.identity import whoami

_KEY = Arg("key", "text", "path", required=True)

_KEYS = (
    Command("key challenge", (), "What a key signs to be claimed: Ed25519 over the message, base64url.", "", claims.challenge,
            (Twin("POST", "/key/challenge", (Arg("key", "text", required=True),), 201),),
            answer="challenge: text, message: text, expires_at: text"),
    Command("key claim", (), "Make the key of a device, an agent or a service yours, on proof: its secret, or a challenge that it signed.",
            "", claims.claim,
            (Twin("POST", "/key/claim", (Arg("key", "text", required=True), Arg("label", "text"), Arg("type", "text"),
                                         Arg("challenge", "text"), Arg("signature", "text")), 201),), answer="claim"),
    Command("key claimed", ("key claimed",), "The keys that you have claimed.", "key claimed", claims.claimed,
            (Twin("GET", "/key/claimed"),), answer="keys: claim[], count: integer"),
    Command("key owner", ("key owner KEY:identity",), "Who has claimed a key.", "key owner CLIENT_KEY", claims.owner,
            (Twin("GET", "/key/owner/<key>", (_KEY,)),), answer="key: text, claimed: flag, owner: text|null"),
    Command("key label", (), "Give a claimed key another label or type.", "", claims.relabel,
            (Twin("PATCH", "/key/claim/<key>", (_KEY, Arg("label", "text"), Arg("type", "text"))),), answer="claim"),
    Command("key transfer", (), "Hand a claimed key to another, a @handle, an address or a key: old grants go with it.", "",
            claims.transfer, (Twin("POST", "/key/transfer", (Arg("key", "text", required=True), Arg("to", "text", required=True))),),
            answer="claim"),
    Command("key release", (), "Give a claimed key up.", "", claims.release, (Twin("DELETE", "/key/claim/<key>", (_KEY,)),),
            answer="key: text, released: true"),
    Command("key scoped", (), "A key that may do a part of what yours may, in some folders and beneath, until it expires. Its secret is "
            "shown this once.", "", scoped.make,
            (Twin("POST", "/key/scoped", (Arg("routes", "list", required=True), Arg("permissions", "list"), Arg("expires_in", "integer"),
                                          Arg("label", "text")), 201),), answer="new_scoped"),
    Command("keys scoped", ("keys scoped",), "Your scoped keys.", "keys scoped", scoped.list_, (Twin("GET", "/key/scoped"),),
            answer="keys: scoped[], count: integer"),
    Command("key revoke", (), "Take a scoped key back.", "", scoped.revoke,
            (Twin("DELETE", "/key/scoped/<id>", (Arg("id", "text", "path", required=True),)),), answer="deleted: true, id: text"),
    Command("sign in", (), "Send a link that signs in whoever reads mail at an address.", "", accounts.login,
            (Twin("POST", "/auth/login", (Arg("email", "any", required=True), Arg("callback_url", "text"), Arg("app_name", "text"),
                                          Arg("subject", "text"), Arg("next", "text"))),), answer="sent: true"),
    Command("sign in verify", (), "The key that a link stands for; the link is used up.", "", accounts.verify,
            (Twin("POST", "/auth/verify", (Arg("token", "text", required=True),)),),
            answer="key: text, public_id: text, email: text, next?: text"),
    Command("sign in by token", (), "The key of an address that an ID token of OpenID Connect vouches for.", "", oidc.sign_in,
            (Twin("POST", "/auth/oidc", (Arg("id_token", "text", required=True), Arg("nonce", "text"))),),
            answer="key: text, public_id: text, is_new: flag"),
    Command("me", (), "The account that your key came by.", "", accounts.me, (Twin("GET", "/auth/me"),), answer="account"),
    Command("me change", (), "Take a handle, such as @alice; say what others may know of you.", "", accounts.change,
            (Twin("PATCH", "/auth/me", (Arg("handle", "text"), Arg("profile", "object"))),), answer="account"),
)  # fmt: skip

COMMANDS = (
    Command("share", ("share ROUTE with @KEY [mode MODE:word]",), "Give a key access to a folder.",
            "share agency/shop with @CLIENT_KEY", access.share,
            (Twin("POST", "/access/<route:path>", (
                ROUTE, Arg("key", "text", required=True), Arg("mode", "text"), Arg("permissions", "list"))),), answer="access"),
    Command("grant", ("grant ROUTE to KEY:identity [MODE:mode]",), "Give a key access to a folder.",
            "grant my/route to YOUR_KEY protected", access.share, answer="access"),
    Command("revoke", ("revoke ROUTE [from KEY:identity]",), "Take access back, or the whole access record.",
            "revoke agency/shop from CLIENT_KEY", access.revoke,
            (Twin("DELETE", "/access/<route:path>", (ROUTE, Arg("key", "text", "query"))),), answer="access"),
    Command("access", (), "A folder's access record.", "", access.show, (Twin("GET", "/access/<route:path>", (ROUTE,)),), answer="access"),
    *_KEYS,
    Command("profile", ("profile WHO:text",), "What a person says of themselves, by @handle, public_id or key.", 'profile "@alice"',
            people.profile, (Twin("GET", "/profile/<who>", (Arg("who", "text", "path", required=True),)),),
            answer="public_id: text, profile: object, handle?: text"),
    Command("whoami", ("whoami",), "Which key this is.", "whoami", whoami, (Twin("GET", "/whoami"),),
            answer="whoami"),
)  # fmt: skip
