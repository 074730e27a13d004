import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.CodingErrorAction;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.parsers.SAXParser;
import javax.xml.parsers.SAXParserFactory;
import org.xml.sax.Attributes;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;
import org.xml.sax.SAXParseException;
import org.xml.sax.helpers.DefaultHandler;

/**
 * Asks the JDK's Xerces whether documents are TwiML that its family of parsers takes.
 *
 * <p>Standard input: for each document a charset name and a body, each after its length as four bytes, most significant first.
 * Standard output: one line for each, {@code ok} or {@code refused WAY: line:column: message}. A document is ok when it is read
 * from its bytes and from the string that the charset makes of them, namespace-aware and not, with {@code Response} as its root.
 */
public final class Oracle {
    private static final int MOST = 16 << 20;

    private Oracle() {}

    public static void main(String[] arguments) throws IOException, ParserConfigurationException, SAXException {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        SAXParser aware = parser(true);
        SAXParser plain = parser(false);
        while (true) {
            byte[] charset = block(in);
            if (charset == null) {
                return;
            }
            byte[] body = block(in);
            if (body == null) {
                throw new EOFException("a charset without a body");
            }
            String refusal = judge(aware, plain, new String(charset, "US-ASCII"), body);
            out.println(refusal == null ? "ok" : "refused " + refusal.replaceAll("\\s+", " "));
            out.flush();
        }
    }

    private static byte[] block(DataInputStream in) throws IOException {
        int length;
        try {
            length = in.readInt();
        } catch (EOFException end) {
            return null;
        }
        if (length < 0 || length > MOST) {
            throw new IOException("a block of " + length + " bytes");
        }
        byte[] bytes = new byte[length];
        in.readFully(bytes);
        return bytes;
    }

    private static SAXParser parser(boolean aware) throws ParserConfigurationException, SAXException {
        SAXParserFactory factory = SAXParserFactory.newInstance();
        factory.setNamespaceAware(aware);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        factory.setFeature("http://xml.org/sax/features/external-general-entities", false);
        factory.setFeature("http://xml.org/sax/features/external-parameter-entities", false);
        return factory.newSAXParser();
    }

    private static String judge(SAXParser aware, SAXParser plain, String charset, byte[] body) {
        String text;
        try {
            text = Charset.forName(charset).newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT)
                .decode(ByteBuffer.wrap(body)).toString();
        } catch (IllegalArgumentException unknown) {
            return "charset: Java knows none named " + charset;
        } catch (CharacterCodingException wrong) {
            return "charset: the bytes are not " + charset;
        }
        String bytes = "bytes";
        String refusal = parse(aware, new InputSource(new ByteArrayInputStream(body)), bytes + ", namespaces");
        if (refusal == null) {
            refusal = parse(plain, new InputSource(new ByteArrayInputStream(body)), bytes);
        }
        if (refusal == null) {
            refusal = parse(aware, new InputSource(new StringReader(text)), "string, namespaces");
        }
        if (refusal == null) {
            refusal = parse(plain, new InputSource(new StringReader(text)), "string");
        }
        return refusal;
    }

    private static String parse(SAXParser parser, InputSource source, String way) {
        Root root = new Root();
        try {
            parser.parse(source, root);
        } catch (SAXParseException error) {
            return way + ": " + error.getLineNumber() + ":" + error.getColumnNumber() + ": " + error.getMessage();
        } catch (SAXException | IOException error) {
            return way + ": " + error.getMessage();
        }
        return "Response".equals(root.name) ? null : way + ": root element must be Response, not " + root.name;
    }

    private static final class Root extends DefaultHandler {
        private String name;

        @Override
        public void startElement(String uri, String local, String qualified, Attributes attributes) {
            if (name == null) {
                name = qualified;
            }
        }

        @Override
        public void error(SAXParseException error) throws SAXException {
            throw error;
        }

        @Override
        public void fatalError(SAXParseException error) throws SAXException {
            throw error;
        }

        @Override
        public InputSource resolveEntity(String publicId, String systemId) {
            return new InputSource(new StringReader(""));
        }
    }
}
