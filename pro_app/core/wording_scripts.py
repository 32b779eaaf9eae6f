"""Whether a text is written in the script of its language, and reads like it.

By Unicode's ranges and by short lists of our own: of frequent words, and of characters that
Simplified Chinese does not have. It tells a file of another language, not a bad translation.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from pro_app.core.wording_faults import number_of

Found = tuple[str, dict[str, str | int]]  # a fault's code and its values

SCRIPTS = {"ms": "Latin", "en": "Latin", "zh_Hans": "Han", "ta": "Tamil"}
_RANGES = (
    ("Tamil", 0x0B80, 0x0BFF),
    ("Latin", 0x0041, 0x024F),
    ("Latin", 0x1E00, 0x1EFF),
    ("Latin", 0xFF21, 0xFF5A),
    ("Han", 0x3005, 0x3007),
    ("Han", 0x3400, 0x4DBF),
    ("Han", 0x4E00, 0x9FFF),
    ("Han", 0xF900, 0xFAFF),
    ("Han", 0x20000, 0x323AF),
)
# Frequent characters whose simplified form is another one and that no simplified text has.
TRADITIONAL = frozenset(  # none of them is in GB 2312
    "個們這來時會過學說對話體點問開關門長間還進運動電東車買賣讓覺親頭腦寫讀聽見視輕鬆緊張實際處從樣機業務與發經濟"
    "無為嗎麼幾歲歡樂義產壓臟藥醫師護愛現應該認識難離邊遠雙飯館錢銀鐘錶總給結終級紅綠線練習書畫圖國園團圓場塊壞"
    "強彈當歸歷氣沒決淚溫滿熱燈爺牽狀獨異療痠瘋瘡盡監礙種積穩窮節範糧絕維網緣縮繼續罷職聯聲膽臉舉舊藍虛號蟲裡補複"
    "規訊記許設診詞試該誤請論謝證議負責費資質贏趕跡踐蹤軟較輔輪輸辦農遞遲適選遺郵釋針鈴錄鏡閉陽陰階隊隨險雖雜靈靜"
    "頂項順須預領題額顏願類顧風飄飲餓餘馬騎驗驚髮鬧魚鳥麗黃齊齒"
)
WORDS = {  # frequent ones, by language
    "ms": frozenset({
        "ada", "adakah", "akan", "amat", "anda", "apa", "atau", "badan", "bagaimana", "bagi",
        "baik", "banyak", "berapa", "boleh", "dalam", "dan", "dapat", "dari", "daripada", "dengan",
        "hari", "harian", "ialah", "ini", "itu", "kepada", "kerana", "kerja", "kesihatan", "kurang",
        "lain", "lalu", "lebih", "masa", "mempunyai", "minggu", "oleh", "pada", "perlu", "pernah",
        "rasa", "sahaja", "sakit", "sangat", "saya", "sebab", "sedikit", "selama", "semasa",
        "semua", "sepanjang", "seperti", "sering", "setiap", "sudah", "susah", "tahun", "telah",
        "tempoh", "terlalu", "tiada", "tidak", "tugas", "untuk", "yang",
    }),
    "en": frozenset({
        "a", "about", "all", "am", "an", "and", "are", "at", "be", "because", "been", "by", "can",
        "could", "did", "do", "does", "during", "each", "feel", "felt", "for", "from", "had", "has",
        "have", "health", "how", "in", "is", "it", "less", "made", "many", "me", "more", "much",
        "my", "no", "not", "of", "often", "on", "or", "other", "so", "some", "than", "that", "the",
        "their", "there", "things", "this", "time", "to", "very", "was", "were", "what", "when",
        "which", "with", "would", "you", "your",
    }),
}  # fmt: skip
ENOUGH_FOR_A_TEXT = 2  # frequent words of another language
ENOUGH_WORDS = 40  # of a file, before its share of frequent words says anything
LEAST_SHARE = 0.08  # of frequent words; a text of the language has three times as many


def script_of(character: str) -> str | None:
    """The script of a letter: Tamil, Latin, Han or other; None for what is no letter."""
    if unicodedata.category(character)[0] not in "LM":
        return None
    for script, first, last in _RANGES:
        if first <= ord(character) <= last:
            return script
    # an accent belongs to the letter before it
    return None if unicodedata.category(character) == "Mn" else "other"


def has_letters(text: str) -> bool:
    """Whether a text has a letter of any script."""
    return any(script_of(one) for one in text)


def script_faults(text: str, language: str) -> Iterator[Found]:
    """What is wrong with the script of a text that is not empty.

    Latin words (of a product, of a unit) may stand in a Tamil or Chinese text, as long as fewer of
    its letters are Latin than not; no other script may stand in any.
    """
    wanted = SCRIPTS[language]
    letters = [(script, one) for one in text if (script := script_of(one))]
    if not letters and not any(one.isdigit() for one in text):
        yield "no_letters", {}
        return
    guests = {wanted, "Latin"}
    strangers = [one for script, one in letters if script not in guests]
    count = Counter(script for script, _ in letters)
    if not strangers and count[wanted] * 2 < len(letters):
        strangers = [one for script, one in letters if script != wanted]
    if strangers:
        yield "script", {"language": language, "character": number_of(strangers[0])}
    elif language == "zh_Hans" and (old := [one for one in text if one in TRADITIONAL]):
        yield "traditional", {"character": number_of(old[0])}


def reads_like(text: str, language: str) -> str | None:
    """The other language in Latin letters that a text reads like, with no word of its own one."""
    words = _words([text])
    if language not in WORDS or _frequent(words, language):
        return None
    for other in WORDS:
        if other != language and _frequent(words, other) >= ENOUGH_FOR_A_TEXT:
            return other
    return None


def file_reads_unlike(texts: Iterable[str], language: str) -> bool:
    """Whether all texts of a file together do not read like their language."""
    if language not in WORDS:
        return False  # its script told
    words = _words(texts)
    own = _frequent(words, language)
    if any(_frequent(words, other) > max(own, ENOUGH_FOR_A_TEXT) for other in WORDS):
        return True
    return len(words) >= ENOUGH_WORDS and own < LEAST_SHARE * len(words)


def _words(texts: Iterable[str]) -> list[str]:
    return [word for text in texts for word in re.findall(r"[^\W\d_]+", text.casefold())]


def _frequent(words: list[str], language: str) -> int:
    """How many of the words are frequent ones of the language."""
    return sum(word in WORDS[language] for word in words)
