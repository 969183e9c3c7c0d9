"""What the deterministic guard looks for, as RE2 patterns with the class of each."""

from dataclasses import dataclass
from typing import Final

HIDDEN: Final = "hidden_unicode"
ROLE: Final = "role_marker"
CREDENTIAL: Final = "credential"
LABELS: Final = frozenset({HIDDEN, ROLE, CREDENTIAL})


@dataclass(frozen=True, slots=True)
class Pattern:
    """One rule. `label` is what profiles act on; `rule` says in the record which one fired."""

    label: str
    rule: str
    text: str


PATTERNS: Final = (
    # Text that people do not see and models read. Joiners and marks of real scripts and emoji
    # are single; only runs of them carry a message.
    Pattern(HIDDEN, "tag_characters", r"[\x{E0001}\x{E0020}-\x{E007E}]{3,}"),
    Pattern(HIDDEN, "bidi_override", r"[\x{202D}\x{202E}]"),
    Pattern(
        HIDDEN,
        "zero_width_run",
        r"[\x{200B}-\x{200F}\x{2060}\x{FEFF}\x{180E}\x{AD}\x{34F}\x{61C}\x{206A}-\x{206F}"
        r"\x{115F}\x{1160}\x{17B4}\x{17B5}\x{3164}\x{FFA0}]{4,}",
    ),
    Pattern(HIDDEN, "invisible_operators", r"[\x{2061}-\x{2064}\x{FFF9}-\x{FFFB}]{2,}"),
    Pattern(HIDDEN, "variation_selectors", r"[\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}]{4,}"),
    # What separates turns and roles in the formats that models are trained on.
    Pattern(
        ROLE,
        "chat_template",
        r"<\|(?:im_start|im_end|im_sep|system|user|assistant|eot_id|eom_id|start_header_id"
        r"|end_header_id|begin_of_text|end_of_text|endoftext|python_tag|channel|message)\|>"
        r"|<(?:start|end)_of_turn>|<\x{FF5C}[^<>\x{FF5C}]{1,30}\x{FF5C}>",
    ),
    Pattern(ROLE, "inst_tags", r"\[/?INST\]|<<SYS>>|<</SYS>>"),
    Pattern(
        ROLE,
        "result_escape",
        r"(?i)</?(?:antml:)?(?:tool_(?:results?|responses?|calls?)|function_(?:results?|calls?)"
        r"|system-reminder)>",
    ),
    Pattern(
        ROLE,
        "turn_label",
        r"(?m)^\s*(?:#{1,4}\s*)?(?i:(?:system|assistant|human)\s*(?:prompt|message)?\s*:\s*"
        r"(?:you|ignore|disregard|forget|from now|new (?:instruction|task|rule|role)s?)\b)",
    ),
    # Secrets with a shape of their own.
    Pattern(CREDENTIAL, "aws_access_key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    Pattern(
        CREDENTIAL, "github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})\b"
    ),
    Pattern(CREDENTIAL, "gitlab_token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    Pattern(CREDENTIAL, "slack_token", r"\bxox[abeprs]-[A-Za-z0-9-]{20,}"),
    Pattern(
        CREDENTIAL,
        "slack_webhook",
        r"hooks\.slack\.com/services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{20,}",
    ),
    Pattern(CREDENTIAL, "google_api_key", r"\bAIza[0-9A-Za-z_-]{35}\b"),
    Pattern(CREDENTIAL, "google_oauth", r"\bya29\.[0-9A-Za-z_-]{20,}|\bGOCSPX-[0-9A-Za-z_-]{28}"),
    Pattern(CREDENTIAL, "azure_storage_key", r"\bAccountKey=[A-Za-z0-9+/]{86}=="),
    Pattern(CREDENTIAL, "stripe_key", r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{24,}"),
    Pattern(CREDENTIAL, "anthropic_key", r"\bsk-ant-[A-Za-z0-9_-]{32,}"),
    Pattern(
        CREDENTIAL,
        "openai_key",
        r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}"
        r"|\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}\b",
    ),
    Pattern(CREDENTIAL, "huggingface_token", r"\bhf_[A-Za-z0-9]{34}\b"),
    Pattern(CREDENTIAL, "registry_token", r"\bnpm_[A-Za-z0-9]{36}\b|\bpypi-AgE[A-Za-z0-9_-]{50,}"),
    Pattern(CREDENTIAL, "atlassian_token", r"\bATATT3[A-Za-z0-9_=-]{50,}"),
    Pattern(CREDENTIAL, "databricks_token", r"\bdapi[0-9a-f]{32}\b"),
    Pattern(CREDENTIAL, "digitalocean_token", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    Pattern(CREDENTIAL, "sendgrid_key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    Pattern(CREDENTIAL, "vault_token", r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    Pattern(CREDENTIAL, "gateway_key", r"\bmcpgw_[0-9a-f]{8}_[A-Za-z0-9_-]{43}\b"),
    Pattern(CREDENTIAL, "private_key", r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
    Pattern(
        CREDENTIAL, "jwt", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"
    ),
    Pattern(CREDENTIAL, "url_password", r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/:@]{6,}@"),
)
