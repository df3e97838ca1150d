"""The forms of tokens that providers issue: told by their own prefixes and lengths, which are public.

Each form names literals one of which must stand in the text, and a pattern for the whole token with bounded repeats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Certainty(IntEnum):
    """How sure it is that a value is a secret."""

    POSSIBLE = 1
    LIKELY = 2
    PROVEN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A form that one provider issues: the literals one of which must be present, and the pattern of the whole token."""

    kind: str
    literals: tuple[str, ...]
    pattern: re.Pattern[str]
    certainty: Certainty
    leads: bool
    """Whether the literals begin the token. Then only the places where one stands are looked at."""

    def find(self, text: str, places: Mapping[str, Sequence[int]]) -> Iterator[tuple[int, int]]:
        """Where the tokens stand, none inside another; `places` are those of the literals."""
        if not self.leads:
            yield from (match.span() for match in self.pattern.finditer(text))
            return
        end = -1
        for place in sorted(place for literal in self.literals for place in places.get(literal, ())):
            match = self.pattern.match(text, place) if place >= end else None
            if match is not None:
                yield match.span()
                end = match.end()


def _form(
    kind: str, literals: str, pattern: str, certainty: Certainty = Certainty.PROVEN, *, leads: bool = True
) -> Form:
    return Form(kind, tuple(literals.split()), re.compile(rf"(?<![A-Za-z0-9_-])(?:{pattern})"), certainty, leads)


_SURE, _MAYBE = Certainty.PROVEN, Certainty.POSSIBLE

# GitHub's installation tokens may be long, dotted and unlike the older ones: the tail is opaque
# (https://github.blog/changelog/, April 2026).
FORMS = (
    _form("GitHub token", "ghp_ gho_ ghu_ ghr_", r"gh[pour]_[A-Za-z0-9]{36,255}(?![A-Za-z0-9])"),
    _form("GitHub installation token", "ghs_", r"ghs_[A-Za-z0-9][A-Za-z0-9._-]{34,2000}[A-Za-z0-9_-]"),
    _form("GitHub fine-grained token", "github_pat_", r"github_pat_[A-Za-z0-9_]{36,255}"),
    _form("GitLab token", "glpat- gldt- glrt-", r"gl(?:pat|dt|rt)-[A-Za-z0-9_.-]{20,80}"),
    _form(
        "GitLab token",
        "gloas- glcbt- glptt- glft- glimt- glagent- glsoat- glffct- glrtr- glwt-",
        r"gl(?:oas|cbt|ptt|ft|imt|agent|soat|ffct|rtr|wt)-[A-Za-z0-9_-]{20,80}",
    ),
    _form("GitLab runner token", "GR1348941", r"GR1348941[A-Za-z0-9_-]{20}(?![A-Za-z0-9_-])"),
    _form("GitLab session", "_gitlab_session=", r"_gitlab_session=[a-f0-9]{32}(?![a-f0-9])", _MAYBE),
    _form("AWS access key id", "AKIA ASIA A3T", r"A(?:[KS]IA|3T[A-Z0-9])[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _form("AWS Bedrock key", "ABSK", r"ABSK[A-Za-z0-9+/]{100,200}={0,2}"),
    _form("AWS Bedrock key", "bedrock-api-key-", r"bedrock-api-key-[A-Za-z0-9+/=]{30,2000}"),
    _form("AWS Marketplace key", "amzn.mws.", r"amzn\.mws\.[0-9a-z]{8}(?:-[0-9a-z]{4}){3}-[0-9a-z]{12}"),
    _form("Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{20,250}"),
    _form("Slack app token", "xapp-", r"xapp-[0-9]-[A-Z0-9]{8,20}-[0-9]{8,20}-[a-f0-9]{32,80}"),
    _form(
        "Slack webhook address",
        "hooks.slack.com/",
        r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{30,120}",
        leads=False,
    ),
    _form("Stripe live key", "sk_live_ rk_live_", r"[sr]k_live_[A-Za-z0-9]{16,247}"),
    _form("Stripe test key", "sk_test_ rk_test_", r"[sr]k_test_[A-Za-z0-9]{16,247}", _MAYBE),
    _form("Stripe webhook secret", "whsec_", r"whsec_[A-Za-z0-9+/]{32,100}={0,2}"),
    _form("Google API key", "AIza", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _form("Google OAuth client secret", "GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{28}(?![A-Za-z0-9_-])"),
    _form("Google OAuth access token", "ya29.", r"ya29\.[A-Za-z0-9_-]{40,500}"),
    _form("Google OAuth refresh token", "1//0", r"1//0[A-Za-z0-9_-]{60,200}"),
    _form(
        "OpenAI key", "T3BlbkFJ", r"sk-(?:[a-z]{2,10}-)?[A-Za-z0-9_-]{16,100}T3BlbkFJ[A-Za-z0-9_-]{16,100}", leads=False
    ),
    _form("OpenAI key", "sk-proj- sk-svcacct- sk-admin-", r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,250}"),
    _form("OpenRouter key", "sk-or-v1-", r"sk-or-v1-[a-f0-9]{64}"),
    _form("Anthropic key", "sk-ant-", r"sk-ant-[a-z]{2,10}[0-9]{2}-[A-Za-z0-9_-]{40,150}"),
    _form("model provider's key", "sk-", r"sk-[a-f0-9]{32}(?![A-Za-z0-9])"),
    _form("SendGrid key", "SG.", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    _form("npm token", "npm_", r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _form("PyPI token", "pypi-AgE", r"pypi-AgE[A-Za-z0-9_-]{50,500}"),
    _form("RubyGems key", "rubygems_", r"rubygems_[a-f0-9]{48}(?![a-f0-9])"),
    _form("NuGet key", "oy2", r"oy2[a-z0-9]{43}(?![a-z0-9])"),
    _form("Clojars token", "CLOJARS_", r"CLOJARS_[a-z0-9]{60}(?![a-z0-9])"),
    _form("Hugging Face token", "hf_", r"hf_[A-Za-z]{34}(?![A-Za-z0-9])"),
    _form("DigitalOcean token", "dop_v1_ doo_v1_", r"do[op]_v1_[a-f0-9]{64}(?![a-f0-9])"),
    _form("Shopify token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}(?![a-fA-F0-9])"),
    _form(
        "Square token",
        "sq0csp- sq0atp- EAAA",
        r"(?:sq0csp-[A-Za-z0-9_-]{43}|sq0atp-[A-Za-z0-9_-]{22}|EAAA[A-Za-z0-9_-]{60})(?![A-Za-z0-9_-])",
    ),
    _form(
        "PayPal access token", "access_token$production$", r"access_token\$production\$[a-z0-9]{13,18}\$[a-f0-9]{32}"
    ),
    _form("Telegram bot token", ":AA", r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])", leads=False),
    _form(
        "Discord bot token",
        "discord Discord DISCORD",
        r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",
        leads=False,
    ),
    _form(
        "Discord webhook address",
        "/api/webhooks/",
        r"https://discord(?:app)?\.com/api/webhooks/[0-9]{15,20}/[A-Za-z0-9_-]{60,80}",
        leads=False,
    ),
    _form("Databricks token", "dapi", r"dapi[a-f0-9]{32}(?![a-f0-9])"),
    _form("Grafana token", "glsa_", r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}"),
    _form("Grafana policy token", "glc_eyJ", r"glc_eyJ[A-Za-z0-9+/]{40,400}={0,2}"),
    _form("Grafana key", "eyJrIjoi", r"eyJrIjoi[A-Za-z0-9+/]{60,200}={0,2}"),
    _form("Linear key", "lin_api_", r"lin_api_[A-Za-z0-9]{40}(?![A-Za-z0-9])"),
    _form("Notion token", "ntn_", r"ntn_[A-Za-z0-9]{43,50}(?![A-Za-z0-9])"),
    _form("Figma token", "figd_", r"figd_[A-Za-z0-9_-]{38,45}"),
    _form("Vault token", "hvs. hvb.", r"hv[sb]\.[A-Za-z0-9_-]{24,300}"),
    _form("Terraform token", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70}", leads=False),
    _form("Docker Hub token", "dckr_pat_ dckr_oat_", r"dckr_[po]at_[A-Za-z0-9_-]{27,32}(?![A-Za-z0-9_-])"),
    _form(
        "Docker Swarm token",
        "SWMTKN-1- SWMKEY-1-",
        r"SWM(?:TKN-1-[a-z0-9]{45,50}-[a-z0-9]{25}|KEY-1-[A-Za-z0-9+/]{43})",
    ),
    _form("New Relic key", "NRAK-", r"NRAK-[A-Z0-9]{27}(?![A-Z0-9])"),
    _form("New Relic key", "NRBR- NRII- NRJS-", r"NR(?:BR|II|JS)-[A-Za-z0-9_-]{19,40}", _MAYBE),
    _form("New Relic key", "NRAL", r"(?:[a-z]{2}[0-9]{2}x)?[a-fx0-9]{28,40}NRAL(?![A-Za-z0-9])", leads=False),
    _form("1Password service token", "ops_eyJ", r"ops_eyJ[A-Za-z0-9_-]{100,4000}"),
    _form("age key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    _form("NATS seed", "SU SA SO SC SN", r"S[AUOCN][A-Z2-7]{56}(?![A-Z2-7])"),
    _form("Akamai credential", "akab-", r"akab-[a-z0-9]{16}-[a-z0-9]{16}"),
    _form("Alibaba access key id", "LTAI", r"LTAI[A-Za-z0-9]{12,24}(?![A-Za-z0-9])"),
    _form(
        "Atlassian token",
        "ATATT3 ATCTT3",
        r"AT[AC]TT3[A-Za-z0-9_-]{60,400}(?:(?:=|%3[dD]|\\[uxUX0-9]{0,6}3[dD])[A-F0-9]{8})?",
    ),
    _form("Bitbucket token", "ATBB BBDC-", r"(?:ATBB[A-Za-z0-9]{28,36}|BBDC-[A-Za-z0-9+/]{40,50})(?![A-Za-z0-9])"),
    _form("Azure client secret", "7Q~ 8Q~", r"[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}", leads=False),
    _form("Azure key", "JQQJ99", r"[A-Za-z0-9]{20,60}JQQJ99[A-Za-z0-9+/]{20,40}={0,2}", leads=False),
    _form("Brevo key", "xkeysib-", r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    _form("Cloudflare token", "cfat_ cfut_ cfk_", r"cf(?:at|ut|k)_[A-Za-z0-9]{40,56}"),
    _form("Defined Networking key", "dnkey-", r"dnkey-[A-Z0-9]{26}-[A-Z0-9]{52}"),
    _form("Doppler token", "dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{40,60}"),
    _form("Dropbox token", "sl.", r"sl\.[A-Za-z0-9_-]{120,160}"),
    _form("Dynatrace token", "dt0", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    _form(
        "Facebook app token",
        "0| 1| 2| 3| 4| 5| 6| 7| 8| 9|",
        r"[0-9]{13,17}\|[A-Za-z0-9_-]{27}(?![A-Za-z0-9_-])",
        _MAYBE,
        leads=False,
    ),
    _form("Groq key", "gsk_", r"gsk_[A-Za-z0-9]{52}(?![A-Za-z0-9])"),
    _form("Heroku key", "HRKU-", r"HRKU-[A-Za-z0-9_-]{36,64}"),
    _form("Instagram token", "IGQV", r"IGQV[A-Za-z0-9_-]{100,250}"),
    _form("JFrog token", "AKCp cmVmdGtuOjAx", r"(?:AKCp[0-9A-Za-z]{60,80}|cmVmdGtuOjAx[A-Za-z0-9+/=]{40,70})"),
    _form("LlamaCloud key", "llx-", r"llx-[A-Za-z0-9_-]{48}(?![A-Za-z0-9_-])"),
    _form("Mailchimp key", "-us", r"[0-9A-Za-z+/]{32}-us[0-9]{1,2}(?![0-9])", leads=False),
    _form("Mailgun key", "key-", r"key-[a-f0-9]{32}(?![a-f0-9])"),
    _form("Netlify token", "nfp_", r"nfp_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    _form("Perplexity key", "pplx-", r"pplx-[A-Za-z0-9]{48}(?![A-Za-z0-9])"),
    _form("PlanetScale credential", "pscale_", r"pscale_(?:pw|tkn|oauth)_[A-Za-z0-9_.-]{32,64}"),
    _form("PostHog key", "phs_ phr_ pha_ phx_", r"ph[srax]_[A-Za-z0-9]{40,64}"),
    _form("Postman key", "PMAK- PMAT-", r"PMA(?:K-[a-f0-9]{24}-[a-f0-9]{34}|T-[A-Z0-9]{26})"),
    _form("Salesforce session", "00D", r"00D[A-Za-z0-9]{10,15}![A-Za-z0-9_.]{60,200}"),
    _form("Salesforce client id", "3MVG", r"3MVG[A-Za-z0-9_.]{75,110}", _MAYBE),
    _form("Sentry token", "sntrys_eyJ sntryu_", r"sntry(?:s_eyJ[A-Za-z0-9_=+/-]{80,400}|u_[a-f0-9]{64})"),
    _form("SonarQube token", "squ_ sqa_ sqp_", r"sq[uap]_[a-f0-9]{40}(?![a-f0-9])"),
    _form("Supabase token", "sbp_", r"sbp_(?:v0_)?[a-f0-9]{40}(?![a-f0-9])"),
    _form("Together key", "tgp_v1_", r"tgp_v1_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    _form("Tavily key", "tvly-", r"tvly-[A-Za-z0-9_-]{32,48}"),
    _form("Twilio key", "SK", r"SK[0-9a-f]{32}(?![0-9A-Za-z])|SK[0-9A-F]{32}(?![0-9A-Za-z])"),
    _form("Twilio account id", "AC", r"AC[0-9a-f]{32}(?![0-9A-Za-z])", _MAYBE),
    _form("Vercel token", "vcp_", r"vcp_[A-Za-z0-9]{56}(?![A-Za-z0-9])"),
    _form("WunderGraph key", "cosmo_", r"cosmo_[a-f0-9]{32}(?![a-f0-9])"),
    _form("X bearer token", "A" * 20, r"A{20,24}[A-Za-z0-9%]{60,120}"),
    _form("xAI key", "xai-", r"xai-[A-Za-z0-9]{80}(?![A-Za-z0-9])"),
)
WEB_TOKEN = _form(
    "JSON Web Token",
    "eyJ",
    r"eyJ[A-Za-z0-9_-]{10,1000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{20,1000}",
    _MAYBE,
)
