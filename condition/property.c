/*
 * property - see property.h.
 */
#include "condition/property.h"

#include <string.h>

/* The names that RE2 knows: Unicode's categories and scripts. PCRE2 has short names of scripts and
 * many other properties beside, which mean nothing elsewhere. */
static const char properties[] =
    " Adlam Ahom Anatolian_Hieroglyphs Any Arabic Armenian Avestan Balinese Bamum"
    " Bassa_Vah Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid C"
    " Canadian_Aboriginal Carian Caucasian_Albanian Cc Cf Chakma Cham Cherokee"
    " Chorasmian Co Common Coptic Cs Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret"
    " Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic"
    " Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi"
    " Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana"
    " Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese"
    " Kaithi Kannada Katakana Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki"
    " Khudawadi L Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Ll Lm Lo Lt Lu Lycian"
    " Lydian M Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Mc"
    " Me Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs"
    " Miao Mn Modi Mongolian Mro Multani Myanmar N Nabataean Nandinagari Nd"
    " New_Tai_Lue Newa Nko Nl No Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki"
    " Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian"
    " Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya P Pahawh_Hmong"
    " Palmyrene Pau_Cin_Hau Pc Pd Pe Pf Phags_Pa Phoenician Pi Po Ps Psalter_Pahlavi"
    " Rejang Runic S Samaritan Saurashtra Sc Sharada Shavian Siddham SignWriting"
    " Sinhala Sk Sm So Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac"
    " Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu"
    " Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho"
    " Warang_Citi Yezidi Yi Z Zanabazar_Square Zl Zp Zs";

bool cel_property_known(const char *name, size_t len)
{
    for (const char *at = properties; *at != '\0'; at += strcspn(at, " ")) {
        at++;
        if (strcspn(at, " ") == len && memcmp(at, name, len) == 0)
            return true;
    }
    return false;
}
